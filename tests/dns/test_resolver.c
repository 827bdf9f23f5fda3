/* SPDX-License-Identifier: MIT */
/* The resolver beside a scripted DNS server and a real one: answers, failures, and cancelled
 * lookups. */
#include "support/resolver_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- answers --- */

static void test_addresses_of_both_families(void **state)
{
    assert_addresses("a-127-0-0-1.one.test", "127.0.0.1");
    assert_addresses("aaaa---1.one.test", "[::1]");
    const char *both = resolve("a-127-0-0-1.aaaa---1.both.test")->answer->addresses;
    assert_true(strcmp(both, "[::1],127.0.0.1") == 0 || strcmp(both, "127.0.0.1,[::1]") == 0);
}

static void test_a_name_is_asked_for_once(void **state)
{
    for (unsigned i = 0; i < 100; i++)
        ask(i, i % 2 ? "Late-50.A-127-0-0-1.Once.test" : "late-50.a-127-0-0-1.once.test");
    turn_until_done(100);
    for (unsigned i = 0; i < 100; i++)
        assert_string_equal(dns.lookups[i].answer->addresses, "127.0.0.1");
    assert_int_equal(asked(), 1);
    assert_int_equal(count_logged("once.test", "\"A\""), 1);
    assert_int_equal(count_logged("once.test", "\"AAAA\""), 1);
    assert_ptr_equal(dns.lookups[0].answer, dns.lookups[99].answer);
}

static void test_the_ttl_says_how_long_an_answer_is_kept(void **state)
{
    spt_loop_make_virtual(dns.loop);
    assert_addresses("rebind.ttl-5.kept.test", "127.0.0.1");
    unsigned generation = dns.lookups[0].answer->generation;
    pass(4 * SECONDS);
    assert_true(spt_resolver_start(dns.resolver, &dns.lookups[1], "rebind.ttl-5.kept.test"));
    assert_int_equal(dns.lookups[1].answer->generation, generation);
    pass(2 * SECONDS);
    assert_addresses("rebind.ttl-5.kept.test", "127.0.0.2");
    assert_int_not_equal(dns.lookups[0].answer->generation, generation);
    assert_string_equal(dns.lookups[1].answer->addresses,
                        "127.0.0.1"); /* the lookup that has it keeps it */
    assert_int_equal(asked(), 2);
}

static void test_a_ttl_is_a_second_at_least_and_300_at_most(void **state)
{
    spt_loop_make_virtual(dns.loop);
    assert_addresses("rebind.ttl-0.short.test", "127.0.0.1");
    assert_addresses("rebind.ttl-0.short.test", "127.0.0.1");
    pass(SECONDS);
    assert_addresses("rebind.ttl-0.short.test", "127.0.0.2");
    assert_addresses("rebind.ttl-90000.long.test", "127.0.0.1");
    pass(299 * SECONDS);
    assert_addresses("rebind.ttl-90000.long.test", "127.0.0.1");
    pass(SECONDS);
    assert_addresses("rebind.ttl-90000.long.test", "127.0.0.2");
}

static void test_an_alias_is_followed(void **state)
{
    spt_loop_make_virtual(dns.loop);
    assert_addresses("ttl-2.cname.ttl-60.rebind.alias.test", "127.0.0.1");
    pass(3 * SECONDS);
    assert_addresses("ttl-2.cname.ttl-60.rebind.alias.test", "127.0.0.2");
}

static void test_what_is_cut_short_comes_by_tcp(void **state)
{
    assert_addresses("tc.a-127-0-0-1.cut.test", "127.0.0.1");
    assert_true(count_logged("cut.test", "tcp") > 0);
}

static void test_one_family_is_enough(void **state)
{
    open_impatient(getenv("SEPTET_DNS"));
    assert_addresses("a-127-0-0-1.only6-servfail.half.test", "127.0.0.1");
    assert_addresses("a-127-0-0-1.only6-silent.half.test", "127.0.0.1");
}

/* --- failures --- */

static void test_what_is_not_found(void **state)
{
    assert_failure("nx.test", "not_found");
    assert_failure("empty.test", "not_found");
    assert_failure("nx.test.", "not_found");
    assert_failure("a..test", "not_found");
    assert_failure("", "not_found");
    char host[400];
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = 0;
    assert_failure(host, "not_found");
}

static void test_that_a_name_is_not_there_is_kept_for_a_second(void **state)
{
    spt_loop_make_virtual(dns.loop);
    assert_failure("nx.again.test", "not_found");
    assert_failure("nx.again.test", "not_found");
    assert_int_equal(asked(), 1);
    pass(SECONDS);
    assert_failure("nx.again.test", "not_found");
    assert_int_equal(asked(), 2);
}

static void test_a_server_that_fails(void **state)
{
    assert_failure("servfail.test", "server");
    assert_failure("refused.test", "server");
    assert_failure("servfail.test", "server");
    assert_int_equal(asked(), 3); /* not kept */
}

/* Some versions drop what they cannot read, and wait on. */
static void test_an_answer_that_cannot_be_read(void **state)
{
    open_impatient(getenv("SEPTET_DNS"));
    struct spt_lookup *lookup = resolve("garbage.test");
    assert_non_null(lookup->failure);
    assert_true(strcmp(lookup->failure, "server") == 0 || strcmp(lookup->failure, "timeout") == 0);
}

static void test_a_server_that_never_answers(void **state)
{
    open_impatient(getenv("SEPTET_DNS"));
    uint64_t began_ns = spt_loop_now(dns.loop);
    assert_failure("silent.test", "timeout");
    assert_true(spt_loop_now(dns.loop) - began_ns >= SECONDS * 3 / 10);
    assert_true(count_logged("silent.test", "\"A\"") >= 2);
}

/* A port on which nobody listens: bound by TCP, so that it stays free. */
static int bound(int type, char text[32])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(text, 32, "127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

static void test_a_server_that_is_not_there(void **state)
{
    char servers[32];
    int fd = bound(SOCK_STREAM, servers);
    close_resolver();
    open_resolver(servers, NULL, 0);
    assert_failure("a-127-0-0-1.test", "refused");
    close(fd);
}

static void test_the_next_server_is_asked(void **state)
{
    char servers[80], nobody[32];
    int fd = bound(SOCK_STREAM, nobody);
    snprintf(servers, sizeof servers, "%s,%s", nobody, getenv("SEPTET_DNS"));
    close_resolver();
    /* c-ares 1.18 may take the refusal of one query for that of another, and waits. */
    open_impatient(servers);
    assert_addresses("a-127-0-0-1.next.test", "127.0.0.1");
    close(fd);
}

static void test_servers_that_cannot_be_read(void **state)
{
    close_resolver();
    open_resolver("no server", NULL, 0);
    assert_non_null(resolve("a-127-0-0-1.test")->failure);
}

/* --- the end of waiting --- */

static void test_who_cancels_leaves_the_others_waiting(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        ask(i, "late-50.a-127-0-0-1.cancel.test");
    spt_loop_run_once(dns.loop, false);
    spt_resolver_cancel(&dns.lookups[1]);
    ask(3, "late-50.a-127-0-0-2.cancel.test");
    turn_until_done(3);
    assert_null(dns.lookups[1].answer);
    assert_string_equal(dns.lookups[2].answer->addresses, "127.0.0.1");
    assert_string_equal(dns.lookups[3].answer->addresses, "127.0.0.2");
}

static void test_nothing_is_left_when_nobody_waits(void **state)
{
    ask(0, "silent.one.test");
    ask(1, "silent.two.test");
    spt_loop_run_once(dns.loop, false);
    assert_int_equal(spt_resolver_count(dns.resolver).in_flight, 2);
    assert_true(spt_resolver_count(dns.resolver).sockets > 0);
    spt_resolver_cancel(&dns.lookups[0]);
    assert_int_equal(spt_resolver_count(dns.resolver).in_flight, 2);
    spt_resolver_cancel(&dns.lookups[1]);
    spt_loop_run_once(dns.loop, false);
    struct spt_resolver_count count = spt_resolver_count(dns.resolver);
    assert_int_equal(count.in_flight + count.waiting + count.sockets, 0);
    assert_int_equal(spt_timer_next(&dns.timers), SPT_NEVER);
    assert_int_equal(dns.done, 0);
}

static void test_free_lets_go_of_who_waits(void **state)
{
    for (unsigned i = 0; i < 200; i++) { /* some asked for, some queued */
        char host[64];
        snprintf(host, sizeof host, "silent.n%u.test", i);
        ask(i, host);
    }
    spt_loop_run_once(dns.loop, false);
    spt_resolver_free(dns.resolver);
    dns.resolver = NULL;
    assert_null(dns.lookups[0].name);
    assert_null(dns.lookups[199].name);
    assert_int_equal(dns.done, 0);
}

static void cancel_next_and_ask_again(struct spt_lookup *lookup)
{
    if (lookup != &dns.lookups[0])
        return;
    spt_resolver_cancel(&dns.lookups[1]);
    spt_resolver_start(dns.resolver, &dns.lookups[0], "a-127-0-0-9.inside.test");
}

static void test_on_done_may_cancel_and_ask(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        ask(i, "a-127-0-0-1.batch.test");
    dns.after_done = cancel_next_and_ask_again;
    turn_until_done(3);
    assert_string_equal(dns.lookups[0].answer->addresses, "127.0.0.9");
    assert_null(dns.lookups[1].answer);
    assert_string_equal(dns.lookups[2].answer->addresses, "127.0.0.1");
}

/* --- a real peer --- */

static void test_dnsmasq(void **state)
{
    close_resolver();
    open_resolver(getenv("SEPTET_DNSMASQ"), NULL, 0);
    const struct spt_lookup *peer = resolve("peer.test");
    assert_non_null(peer->answer);
    assert_non_null(strstr(peer->answer->addresses, "127.0.0.7"));
    assert_non_null(strstr(peer->answer->addresses, "[::1]"));
    assert_non_null(strstr(resolve("alias.peer.test")->answer->addresses, "127.0.0.7"));
    assert_failure("gone.test", "not_found");
    assert_failure("elsewhere.test", "server"); /* it has nobody to ask, and refuses */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_addresses_of_both_families),
        TEST(test_a_name_is_asked_for_once),
        TEST(test_the_ttl_says_how_long_an_answer_is_kept),
        TEST(test_a_ttl_is_a_second_at_least_and_300_at_most),
        TEST(test_an_alias_is_followed),
        TEST(test_what_is_cut_short_comes_by_tcp),
        TEST(test_one_family_is_enough),
        TEST(test_what_is_not_found),
        TEST(test_that_a_name_is_not_there_is_kept_for_a_second),
        TEST(test_a_server_that_fails),
        TEST(test_an_answer_that_cannot_be_read),
        TEST(test_a_server_that_never_answers),
        TEST(test_a_server_that_is_not_there),
        TEST(test_the_next_server_is_asked),
        TEST(test_servers_that_cannot_be_read),
        TEST(test_who_cancels_leaves_the_others_waiting),
        TEST(test_nothing_is_left_when_nobody_waits),
        TEST(test_free_lets_go_of_who_waits),
        TEST(test_on_done_may_cancel_and_ask),
        TEST(test_dnsmasq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
