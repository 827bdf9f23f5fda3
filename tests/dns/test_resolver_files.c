/* SPDX-License-Identifier: MIT */
/* What the resolver takes from files instead of from a server, and names that need no asking. */
#include "support/resolver_fixture.h"

#include <dlfcn.h>
#include <unistd.h>

/* Files that stand in for the system's; a test that writes one has it removed. */
static char conf[64], hosts[64];

/* c-ares opens the file of hosts by this name. */
FILE *fopen(const char *path, const char *mode);
FILE *fopen(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    return real(hosts[0] && strcmp(path, "/etc/hosts") == 0 ? hosts : path, mode);
}

static void write_file(char path[64], const char *text)
{
    if (!path[0]) {
        strcpy(path, "/tmp/septet-resolver-XXXXXX");
        close(mkstemp(path));
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int remove_files(void **state)
{
    int bad = resolver_fixture_teardown(state);
    if (conf[0])
        unlink(conf);
    if (hosts[0])
        unlink(hosts);
    conf[0] = hosts[0] = '\0';
    return bad;
}

#define TEST_OF_FILES(f) cmocka_unit_test_setup_teardown(f, resolver_fixture_setup, remove_files)

/* --- what needs no asking --- */

static void test_literals_and_loopback_names(void **state)
{
    assert_addresses("127.0.0.1", "127.0.0.1");
    assert_addresses("::1", "[::1]");
    assert_addresses("[::1]", "[::1]");
    assert_addresses("localhost", "[::1],127.0.0.1");
    assert_addresses("LocalHost.", "[::1],127.0.0.1");
    assert_addresses("a.b.localhost", "[::1],127.0.0.1");
    assert_int_equal(dns.lookups[0].answer->generation, 0);
    assert_failure("notlocalhost", "not_found");
    assert_int_equal(asked(), 1);
}

static void test_the_file_of_hosts(void **state)
{
    write_file(hosts, "127.0.0.8 from-hosts.test short\n");
    assert_true(spt_resolver_start(dns.resolver, &dns.lookups[0], "from-hosts.test"));
    assert_string_equal(dns.lookups[0].answer->addresses, "127.0.0.8");
    assert_addresses("SHORT", "127.0.0.8");
    assert_int_equal(count_logged("from-hosts", ""), 0);
}

/* --- the configuration --- */

static void test_search_domains(void **state)
{
    write_file(conf, "search nx.test a-127-0-0-3.test\noptions ndots:1\n");
    close_resolver();
    open_resolver(getenv("SEPTET_DNS"), conf, 0);
    assert_addresses("single", "127.0.0.3");
    assert_failure("single.", "not_found");
    assert_addresses("a-127-0-0-4.dotted", "127.0.0.4");
}

static void test_a_changed_file_is_read_anew(void **state)
{
    write_file(conf, "search a-127-0-0-1.test\n");
    close_resolver();
    spt_loop_make_virtual(dns.loop);
    open_resolver(getenv("SEPTET_DNS"), conf, 0);
    assert_addresses("first", "127.0.0.1");
    write_file(conf, "search a-127-0-0-22.test\n");
    pass(2 * SECONDS);
    assert_addresses("second", "127.0.0.22");
}

static void test_a_query_in_flight_outlives_a_changed_file(void **state)
{
    write_file(conf, "search a-127-0-0-1.test\n");
    close_resolver();
    spt_loop_make_virtual(dns.loop);
    open_resolver(getenv("SEPTET_DNS"), conf, 0);
    struct spt_lookup *before = ask(0, "late-100.a-127-0-0-5.reload.test");
    spt_loop_run_once(dns.loop, false);
    write_file(conf, "search a-127-0-0-33.test\n");
    pass(2 * SECONDS);
    struct spt_lookup *after = ask(1, "other");
    turn_until_done(2);
    assert_string_equal(before->answer->addresses, "127.0.0.5");
    assert_string_equal(after->answer->addresses, "127.0.0.33");
    assert_int_equal(asked(), 3);
}

static void test_a_changed_file_while_nobody_waits_for_the_name(void **state)
{
    write_file(conf, "search a-127-0-0-1.test\n");
    close_resolver();
    spt_loop_make_virtual(dns.loop);
    open_resolver(getenv("SEPTET_DNS"), conf, 0);
    ask(0, "silent.other.test"); /* keeps the queries going */
    spt_resolver_cancel(ask(1, "late-50.a-127-0-0-6.left.test"));
    write_file(conf, "search a-127-0-0-44.test\n");
    pass(2 * SECONDS);
    struct spt_lookup *again = ask(1, "late-50.a-127-0-0-6.left.test");
    turn_until_done(1);
    assert_string_equal(again->answer->addresses, "127.0.0.6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF_FILES(test_literals_and_loopback_names),
        TEST_OF_FILES(test_the_file_of_hosts),
        TEST_OF_FILES(test_search_domains),
        TEST_OF_FILES(test_a_changed_file_is_read_anew),
        TEST_OF_FILES(test_a_query_in_flight_outlives_a_changed_file),
        TEST_OF_FILES(test_a_changed_file_while_nobody_waits_for_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
