/* SPDX-License-Identifier: MIT */
/* The log of signals: order, which are kept, ends that are added, and a lack of memory. */
#include "http/signal_log.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

static const unsigned ALL = (1u << SPT_SIGNALS) - 1;

static void add(struct spt_signal_log *log, enum spt_signal_type type, const char *text)
{
    const struct spt_signal signal = {
        .type = type, .t_ns = log->records.len + 1, .bytes = text, .len = text ? strlen(text) : 0};
    spt_signal_log_add(log, &signal);
}

/* Checks the type and the text of the next signal. */
static void expect(struct spt_signal_log *log, enum spt_signal_type type, const char *text)
{
    struct spt_signal signal;
    assert_true(spt_signal_log_next(log, &signal));
    assert_string_equal(spt_signal_name(signal.type), spt_signal_name(type));
    assert_int_equal(signal.len, strlen(text));
    assert_memory_equal(signal.bytes, text, signal.len);
}

static void expect_none(struct spt_signal_log *log)
{
    struct spt_signal signal;
    assert_false(spt_signal_log_has_next(log));
    assert_false(spt_signal_log_next(log, &signal));
}

static void test_log_keeps_order_and_bytes(void **state)
{
    struct spt_signal_log log = {0};
    (void)state;
    spt_signal_log_reset(&log, ALL);
    expect_none(&log);
    add(&log, SPT_SIGNAL_DNS_MISS, "a.test");
    add(&log, SPT_SIGNAL_CHUNK, "abc");
    expect(&log, SPT_SIGNAL_DNS_MISS, "a.test");
    add(&log, SPT_SIGNAL_CHUNK, "");
    expect(&log, SPT_SIGNAL_CHUNK, "abc");
    expect(&log, SPT_SIGNAL_CHUNK, "");
    expect_none(&log);
    add(&log, SPT_SIGNAL_REUSE, NULL);
    expect(&log, SPT_SIGNAL_REUSE, "");
    spt_signal_log_release(&log);
}

static void test_log_keeps_what_is_wanted_and_no_secrets(void **state)
{
    struct spt_signal_log log = {0};
    (void)state;
    spt_signal_log_reset(&log, SPT_SIGNAL_BIT(HEADERS_SENT) | SPT_SIGNAL_BIT(CREATE_END));
    add(&log, SPT_SIGNAL_CREATE_START, NULL);
    add(&log, SPT_SIGNAL_ATTEMPT, "127.0.0.1 80");
    add(&log, SPT_SIGNAL_CREATE_END, NULL);
    add(&log, SPT_SIGNAL_HEADERS_SENT, "Authorization: Basic x");
    expect(&log, SPT_SIGNAL_CREATE_END, "");
    expect(&log, SPT_SIGNAL_HEADERS_SENT, "");
    expect_none(&log);
    spt_signal_log_release(&log);
}

static void test_log_adds_missing_ends_once(void **state)
{
    struct spt_signal_log log = {0};
    struct spt_signal signal;
    (void)state;
    spt_signal_log_reset(&log, ALL);
    add(&log, SPT_SIGNAL_CREATE_START, NULL);
    add(&log, SPT_SIGNAL_DNS_START, "a.test");
    expect(&log, SPT_SIGNAL_CREATE_START, "");
    expect(&log, SPT_SIGNAL_DNS_START, "a.test");
    spt_signal_log_close(&log, 99);
    spt_signal_log_close(&log, 100);
    add(&log, SPT_SIGNAL_DNS_END, "a.test"); /* has ended */
    assert_true(spt_signal_log_next(&log, &signal));
    assert_int_equal(signal.type, SPT_SIGNAL_DNS_END);
    assert_true(signal.failed && signal.t_ns == 99);
    assert_true(spt_signal_log_next(&log, &signal));
    assert_int_equal(signal.type, SPT_SIGNAL_CREATE_END);
    expect_none(&log);
    spt_signal_log_release(&log);
}

/* Whatever room there is: a start that is kept has its end, and the rest is counted. */
static void test_log_without_memory_loses_no_end(void **state)
{
    static const enum spt_signal_type types[] = {
        SPT_SIGNAL_QUEUED_START, SPT_SIGNAL_QUEUED_END, SPT_SIGNAL_CREATE_START,
        SPT_SIGNAL_DNS_MISS,     SPT_SIGNAL_DNS_START,  SPT_SIGNAL_DNS_END,
        SPT_SIGNAL_ATTEMPT,      SPT_SIGNAL_CREATE_END, SPT_SIGNAL_CHUNK};
    const size_t n = sizeof types / sizeof types[0];
    char text[256];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t max = 0; max < 4000; max += 8) {
        struct spt_signal_log log = {0};
        struct spt_signal signal;
        int open = 0;
        unsigned kept = 0;
        spt_signal_log_reset(&log, ALL);
        log.records.max = max;
        for (size_t i = 0; i < n; i++)
            add(&log, types[i], text);
        spt_signal_log_close(&log, 1);
        while (spt_signal_log_next(&log, &signal)) {
            const char *name = spt_signal_name(signal.type);
            open += strstr(name, "_start") != NULL;
            open -= strstr(name, "_end") != NULL;
            assert_true(open >= 0);
            kept++;
        }
        assert_int_equal(open, 0);
        assert_true(kept + log.lost <= n);
        assert_true(kept == n || log.lost > 0);
        spt_signal_log_release(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_keeps_order_and_bytes),
        cmocka_unit_test(test_log_keeps_what_is_wanted_and_no_secrets),
        cmocka_unit_test(test_log_adds_missing_ends_once),
        cmocka_unit_test(test_log_without_memory_loses_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
