/* SPDX-License-Identifier: MIT */
/* Thousands of names at once, some of which never answer. */
#include "support/resolver_fixture.h"

enum { KEPT = 4096, WINDOW = 64 };

static unsigned threads(void)
{
    char line[256];
    unsigned n = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        sscanf(line, "Threads: %u", &n);
    fclose(status);
    return n;
}

static void test_thousands_of_names(void **state)
{
    unsigned before = threads();
    for (unsigned i = 0; i < MANY; i++) {
        char host[64];
        snprintf(host, sizeof host, "a-127-%u-%u-1.many.test", i / 250, i % 250);
        ask(i, host);
    }
    assert_int_equal(spt_resolver_count(dns.resolver).waiting, MANY);
    turn_until_done(MANY);
    assert_int_equal(threads(), before);
    assert_true(dns.sockets_most > 0 && dns.sockets_most <= 2);
    for (unsigned i = 0; i < MANY; i++) {
        char address[32];
        snprintf(address, sizeof address, "127.%u.%u.1", i / 250, i % 250);
        assert_non_null(dns.lookups[i].answer);
        assert_string_equal(dns.lookups[i].answer->addresses, address);
    }
    assert_int_equal(asked(), MANY);
    assert_int_equal(spt_resolver_count(dns.resolver).known, KEPT);
}

/* Asks for `n` names that never answer. */
static void ask_silent(unsigned n, const char *group)
{
    for (unsigned i = 0; i < n; i++) {
        char host[64];
        snprintf(host, sizeof host, "silent.n%u.%s.test", i, group);
        ask(i, host);
    }
}

static void test_silent_names_do_not_hold_up_the_others(void **state)
{
    ask_silent(1000, "held");
    ask(1000, "a-127-0-0-1.held.test");
    turn_until_done(1);
    assert_non_null(dns.lookups[1000].answer);
    assert_int_equal(spt_resolver_count(dns.resolver).waiting, 1000);
}

/* Its turn comes when the others are slow, and not with the next timeout of a query. */
static void test_who_queues_behind_a_full_window_gets_a_turn(void **state)
{
    ask_silent(WINDOW, "full");
    spt_loop_run_once(dns.loop, false);
    assert_false(spt_resolver_has_work(dns.resolver));
    ask(WINDOW, "a-127-0-0-1.behind.test");
    assert_true(spt_resolver_has_work(dns.resolver));
    spt_loop_run_once(dns.loop, false);
    assert_false(spt_resolver_has_work(dns.resolver));
    assert_true(spt_timer_next(&dns.timers) <= spt_loop_now(dns.loop) + SECONDS / 4);
    turn_until_done(1);
    assert_string_equal(dns.lookups[WINDOW].answer->addresses, "127.0.0.1");
    assert_int_equal(spt_resolver_count(dns.resolver).waiting, WINDOW);
}

/* Thousands that never answer queue; the first of them have proved slow. */
static void test_who_asks_later_does_not_queue_behind_silent_names(void **state)
{
    ask_silent(1000, "crowd");
    while (spt_resolver_count(dns.resolver).in_flight <= WINDOW)
        spt_loop_run_once(dns.loop, true);
    unsigned before = spt_resolver_count(dns.resolver).in_flight;
    ask(1000, "a-127-0-0-1.later.test");
    assert_int_equal(spt_resolver_count(dns.resolver).in_flight, before + 1);
    turn_until_done(1);
    assert_string_equal(dns.lookups[1000].answer->addresses, "127.0.0.1");
    assert_true(spt_resolver_count(dns.resolver).in_flight < 1000);
}

/* A name that has come with them is asked for when the first of them prove slow, and not after all
 * of them. */
static void test_the_last_of_a_crowd_is_not_the_last_to_be_asked_for(void **state)
{
    ask_silent(1000, "last");
    ask(1000, "a-127-0-0-1.last.test");
    turn_until_done(1);
    assert_string_equal(dns.lookups[1000].answer->addresses, "127.0.0.1");
    assert_true(spt_resolver_count(dns.resolver).in_flight < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_thousands_of_names),
        TEST(test_silent_names_do_not_hold_up_the_others),
        TEST(test_who_queues_behind_a_full_window_gets_a_turn),
        TEST(test_who_asks_later_does_not_queue_behind_silent_names),
        TEST(test_the_last_of_a_crowd_is_not_the_last_to_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
