/* SPDX-License-Identifier: MIT */
/* Policies: how rules are read, and what they say of names and addresses. */
#include "http/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "septet/septet.h"
#include "support/cmocka.h"

enum { RULES_MAX = 8 };

/* Lists end at their first NULL. */
static struct spt_policy *make(const char *const allow[RULES_MAX],
                               const char *const deny[RULES_MAX])
{
    struct spt_policy *policy;
    const char *bad = NULL;
    size_t n_allow = 0, n_deny = 0;
    while (allow && allow[n_allow])
        n_allow++;
    while (deny && deny[n_deny])
        n_deny++;
    assert_int_equal(spt_policy_new(&policy, allow, n_allow, deny, n_deny, &bad), SEPTET_OK);
    return policy;
}

static const char *by_name(const struct spt_policy *policy, const char *host, int port)
{
    bool named;
    return spt_policy_host(policy, host, strlen(host), port, &named).reason;
}

/* What a request to `host`, which leads to `address`, is refused for. */
static const char *both(const struct spt_policy *policy, const char *host, const char *address)
{
    bool named;
    struct spt_denial denial = spt_policy_host(policy, host, strlen(host), 80, &named);
    return denial.reason ? denial.reason : spt_policy_text(policy, address, 80, named).reason;
}

static const char *reason(const char *const deny[RULES_MAX], const char *address)
{
    struct spt_policy *policy = make(NULL, deny);
    const char *word = spt_policy_text(policy, address, 80, true).reason;
    spt_policy_free(policy);
    return word;
}

static void test_policy_without_rules_is_none(void **state)
{
    assert_null(make(NULL, NULL));
}

static void test_policy_refuses_what_is_no_rule(void **state)
{
    static const char *const bad[] = {"",         "a b",     "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0/8", "host:0",  "host:65536",  "host:x",
                                      "[::1",     "::1/129", "http://a/",   "*",
                                      "*.",       "a/8",     "host:80:90x", "[::1]x",
                                      ":",        "a*b",     "10.0.0.0/-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct spt_policy *policy = NULL;
        const char *which = NULL;
        assert_int_equal(spt_policy_new(&policy, NULL, 0, &bad[i], 1, &which), SEPTET_EINVAL);
        assert_ptr_equal(which, bad[i]);
        assert_null(policy);
    }
}

static void test_policy_denies_names(void **state)
{
    struct spt_policy *p =
        make(NULL, (const char *[RULES_MAX]){"Example.com", "*.internal", "b.org:8080", ":25"});
    assert_string_equal(by_name(p, "example.com", 80), "host");
    assert_string_equal(by_name(p, "EXAMPLE.COM.", 80), "host");
    assert_string_equal(by_name(p, "a.b.internal", 80), "host");
    assert_null(by_name(p, "internal", 80));
    assert_null(by_name(p, "notinternal", 80));
    assert_null(by_name(p, "www.example.com", 80));
    assert_null(by_name(p, "b.org", 80));
    assert_string_equal(by_name(p, "b.org", 8080), "host");
    assert_string_equal(by_name(p, "c.org", 25), "port");
    spt_policy_free(p);
}

static void test_policy_denies_ranges(void **state)
{
    static const char *const rules[RULES_MAX] = {"10.0.0.0/8", "192.168.1.128/25", "fe80::/10",
                                                 "203.0.113.7", "::1"};
    assert_string_equal(reason(rules, "10.255.0.1"), "address");
    assert_null(reason(rules, "11.0.0.0"));
    assert_string_equal(reason(rules, "192.168.1.200"), "address");
    assert_null(reason(rules, "192.168.1.127"));
    assert_string_equal(reason(rules, "febf::1"), "address");
    assert_null(reason(rules, "fec0::1"));
    assert_string_equal(reason(rules, "203.0.113.7"), "address");
    assert_null(reason(rules, "203.0.113.8"));
    assert_string_equal(reason(rules, "::1"), "address");
}

static void test_policy_knows_ipv4_in_its_disguises(void **state)
{
    static const char *const rules[RULES_MAX] = {"10.0.0.0/8"};
    assert_string_equal(reason(rules, "::ffff:10.1.2.3"), "address");
    assert_string_equal(reason(rules, "64:ff9b::10.1.2.3"), "address");
    assert_string_equal(reason(rules, "2002:0a01:0203::1"), "address");
    assert_string_equal(reason(rules, "::10.1.2.3"), "address");
    assert_null(reason(rules, "64:ff9b::11.1.2.3"));
}

static void test_policy_denies_what_is_private(void **state)
{
    static const char *const rules[RULES_MAX] = {"private"};
    static const char *const no[] = {
        "0.0.0.0",         "10.0.0.1",        "100.64.0.1",   "127.0.0.1",   "169.254.169.254",
        "172.16.0.1",      "172.31.255.1",    "192.0.0.1",    "192.168.0.1", "198.19.0.1",
        "224.0.0.1",       "255.255.255.255", "::",           "::1",         "::ffff:127.0.0.1",
        "fc00::1",         "fdff::1",         "fe80::1",      "fec0::1",     "ff02::1",
        "64:ff9b::7f00:1", "2001::1",         "2002:7f00:1::"};
    static const char *const yes[] = {"1.1.1.1",         "100.63.0.1",      "172.32.0.1",
                                      "198.20.0.1",      "223.255.255.255", "2606:4700::1111",
                                      "64:ff9b::101:101"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_string_equal(reason(rules, no[i]), "address");
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_null(reason(rules, yes[i]));
}

static void test_policy_allows_only_what_it_names(void **state)
{
    struct spt_policy *p = make((const char *[RULES_MAX]){"a.org", "*.b.org"}, NULL);
    assert_null(both(p, "a.org", "10.0.0.1"));
    assert_null(both(p, "x.b.org", "1.1.1.1"));
    assert_string_equal(both(p, "b.org", "1.1.1.1"), "host");
    assert_string_equal(both(p, "1.1.1.1", "1.1.1.1"), "address");
    spt_policy_free(p);
}

static void test_policy_allows_ranges_by_address(void **state)
{
    struct spt_policy *p = make((const char *[RULES_MAX]){"a.org", "192.0.2.0/24"},
                                (const char *[RULES_MAX]){"192.0.2.9"});
    assert_null(both(p, "any.org", "192.0.2.1"));
    assert_string_equal(both(p, "any.org", "192.0.3.1"), "address");
    assert_string_equal(both(p, "any.org", "192.0.2.9"), "address");
    assert_null(both(p, "192.0.2.1", "192.0.2.1"));
    assert_string_equal(by_name(p, "192.0.2.9", 80), "address");
    assert_string_equal(by_name(p, "[::ffff:192.0.2.9]", 80), "address");
    assert_string_equal(both(p, "a.org", "192.0.2.9"), "address"); /* denied beats allowed */
    assert_null(both(p, "a.org", "8.8.8.8"));
    spt_policy_free(p);
}

static void test_policy_reads_the_addresses_of_sockets(void **state)
{
    struct spt_policy *p = make(NULL, (const char *[RULES_MAX]){"127.0.0.1:81", "[::1]:82"});
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(81), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(82), .sin6_addr = in6addr_loopback};
    assert_string_equal(spt_policy_address(p, (struct sockaddr *)&v4, true).reason, "address");
    assert_string_equal(spt_policy_address(p, (struct sockaddr *)&v6, true).rule, "[::1]:82");
    v4.sin_port = htons(82);
    v6.sin6_port = htons(81);
    assert_null(spt_policy_address(p, (struct sockaddr *)&v4, true).reason);
    assert_null(spt_policy_address(p, (struct sockaddr *)&v6, true).reason);
    spt_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_without_rules_is_none),
        cmocka_unit_test(test_policy_refuses_what_is_no_rule),
        cmocka_unit_test(test_policy_denies_names),
        cmocka_unit_test(test_policy_denies_ranges),
        cmocka_unit_test(test_policy_knows_ipv4_in_its_disguises),
        cmocka_unit_test(test_policy_denies_what_is_private),
        cmocka_unit_test(test_policy_allows_only_what_it_names),
        cmocka_unit_test(test_policy_allows_ranges_by_address),
        cmocka_unit_test(test_policy_reads_the_addresses_of_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
