/* SPDX-License-Identifier: MIT */
/* The event ring, its interned strings and its texts. */
#include "core/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "septet/septet.h"
#include "support/cmocka.h"

#define RING 16 /* units: the smallest */

static struct spt_trace trace;

static int setup(void **state)
{
    return spt_trace_init(&trace, RING) == SEPTET_OK ? 0 : -1;
}

static int teardown(void **state)
{
    spt_trace_release(&trace);
    return 0;
}

/* Copies the text at `pos` to `out`: "" for 0, "<gone>" if it was overwritten. */
static void get_text(uint32_t pos, char *out, size_t size)
{
    size_t len = 0;
    const char *text = spt_text_ring_find(&trace.texts, pos, &len);
    snprintf(out, size, "%.*s", text ? (int)len : 6, text ? text : pos ? "<gone>" : "");
}

static void put(uint32_t task)
{
    spt_trace_put(&trace, (struct spt_rec){.task = task, .kind = SPT_REC_READY});
}

static struct spt_trace_transfer xfer_of_task(uint32_t task)
{
    int32_t n = (int32_t)task;
    return (struct spt_trace_transfer){.us.queue = n,
                                       .us.dns = -1,
                                       .us.tcp = n + 2,
                                       .us.tls = -1,
                                       .us.send = n + 4,
                                       .us.wait = INT32_MAX,
                                       .us.recv = n + 6,
                                       .us.total = -1,
                                       .bytes = UINT64_C(1) << 40,
                                       .sent = UINT64_C(1) << 41,
                                       .place = spt_trace_place(3, 77),
                                       .request = 0x80000001u,
                                       .resend = 0x80000002u,
                                       .connection = 0x80000003u,
                                       .peer = 0xfffffff1u,
                                       .url = 0xfffffff0u,
                                       .method = 1,
                                       .code = 2,
                                       .phase = 3,
                                       .status = 599,
                                       .version = 20,
                                       .reused = 1,
                                       .insecure = 1};
}

static void put_xfer(uint32_t task)
{
    struct spt_trace_transfer x = xfer_of_task(task);
    spt_trace_xfer(&trace, 1, task, 9, &x);
}

static void test_trace_gives_records_in_order(void **state)
{
    uint64_t cursor = 0, lost = 0;
    struct spt_event e;
    assert_false(spt_trace_read(&trace, &cursor, &e, &lost));
    for (uint32_t i = 1; i <= RING; i++)
        put(i);
    for (uint32_t i = 1; i <= RING; i++) {
        assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
        assert_int_equal(e.rec.task, i);
    }
    assert_false(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_int_equal(lost, 0);
    put(99);
    assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_int_equal(e.rec.task, 99);
}

static void test_trace_counts_what_was_overwritten(void **state)
{
    uint64_t cursor = 0, lost = 0;
    struct spt_event e;
    for (uint32_t i = 1; i <= RING + 5; i++)
        put(i);
    assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_int_equal(lost, 5);
    assert_int_equal(e.rec.task, 6);
    for (uint32_t i = 1; i <= 1000; i++)
        put(1000 + i);
    assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_int_equal(e.rec.task, 2000 - RING + 1);
    assert_int_equal(lost, 5 + RING - 1 + 1000 - RING);
    assert_int_equal(cursor, trace.head - RING + 1);
}

static void test_trace_record_of_several_units(void **state)
{
    uint64_t cursor = 0, lost = 0;
    struct spt_event e;
    struct spt_trace_transfer x = xfer_of_task(5);
    spt_trace_spawn(&trace, 1, 2, 3, spt_trace_place(4, 5), spt_trace_place(6, 7));
    put_xfer(5);
    spt_trace_spawn(&trace, 1, 2, 3, spt_trace_place(4, 5), 0);
    assert_int_equal(trace.head, 2 + 4 + 1);
    assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_int_equal(e.rec.kind, SPT_REC_SPAWN);
    assert_int_equal(e.rec.ref, 3);
    assert_true(e.function_place == spt_trace_place(4, 5));
    assert_true(e.spawn_place == spt_trace_place(6, 7));
    assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_int_equal(e.rec.kind, SPT_REC_XFER);
    assert_int_equal(e.rec.task, 5);
    assert_int_equal(e.rec.ref, 9);
    assert_int_equal(e.xfer.us.queue, x.us.queue);
    assert_int_equal(e.xfer.us.dns, x.us.dns);
    assert_int_equal(e.xfer.us.tcp, x.us.tcp);
    assert_int_equal(e.xfer.us.tls, x.us.tls);
    assert_int_equal(e.xfer.us.send, x.us.send);
    assert_int_equal(e.xfer.us.wait, x.us.wait);
    assert_int_equal(e.xfer.us.recv, x.us.recv);
    assert_int_equal(e.xfer.us.total, x.us.total);
    assert_true(e.xfer.bytes == x.bytes);
    assert_true(e.xfer.place == x.place);
    assert_true(e.xfer.url == x.url);
    assert_int_equal(e.xfer.method, x.method);
    assert_int_equal(e.xfer.code, x.code);
    assert_int_equal(e.xfer.phase, x.phase);
    assert_int_equal(e.xfer.status, x.status);
    assert_int_equal(e.xfer.version, x.version);
    assert_int_equal(e.xfer.reused, x.reused);
    assert_int_equal(e.xfer.insecure, x.insecure);
    assert_true(e.xfer.sent == x.sent);
    assert_int_equal(e.xfer.request, x.request);
    assert_int_equal(e.xfer.resend, x.resend);
    assert_int_equal(e.xfer.connection, x.connection);
    assert_true(e.xfer.peer == x.peer);
    assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_true(e.spawn_place == 0);
    assert_false(spt_trace_read(&trace, &cursor, &e, &lost));
}

/* A reader that fell behind never sees a further unit as a record, wherever the ring's end cuts. */
static void test_trace_late_reader_finds_whole_records(void **state)
{
    for (uint32_t behind = 0; behind < 40; behind++) {
        uint64_t cursor = trace.head, lost = 0, start = cursor, read = 0;
        struct spt_event e;
        uint32_t last = 0;
        for (uint32_t i = 1; i <= 6 + behind; i++) {
            if (i % 3 == 0)
                put_xfer(i);
            else if (i % 3 == 1)
                spt_trace_spawn(&trace, 0, i, 0, 1, 1);
            else
                put(i);
        }
        while (spt_trace_read(&trace, &cursor, &e, &lost)) {
            assert_int_not_equal(e.rec.kind, SPT_REC_MORE);
            assert_true(last == 0 || e.rec.task == last + 1);
            if (e.rec.kind == SPT_REC_XFER)
                assert_int_equal(e.xfer.us.recv, e.rec.task + 6);
            last = e.rec.task;
            read += 1u + e.rec.extra;
        }
        assert_int_equal(last, 6 + behind);
        assert_int_equal(cursor, trace.head);
        assert_int_equal(read + lost, trace.head - start);
    }
}

static void test_trace_of_no_records_costs_nothing(void **state)
{
    struct spt_trace none;
    uint64_t cursor = 0, lost = 0;
    struct spt_event e;
    assert_int_equal(spt_trace_init(&none, 0), SEPTET_OK);
    spt_trace_put(&none, (struct spt_rec){.kind = SPT_REC_RUN});
    spt_trace_spawn(&none, 1, 2, 3, 4, 5);
    assert_int_equal(spt_trace_text(&none, "x", 1), 0);
    assert_false(spt_trace_read(&none, &cursor, &e, &lost));
    assert_int_not_equal(spt_trace_intern(&none, "x"), 0);
    spt_trace_release(&none);
}

static void test_trace_size_is_rounded_up(void **state)
{
    struct spt_trace t;
    assert_int_equal(spt_trace_init(&t, 1000), SEPTET_OK);
    assert_int_equal(t.mask, 1023);
    spt_trace_release(&t);
    assert_int_equal(spt_trace_init(&t, 1), SEPTET_OK);
    assert_int_equal(t.mask, RING - 1);
    spt_trace_release(&t);
}

/* --- interned strings --- */

static void test_trace_interns_the_same_bytes_once(void **state)
{
    uint32_t a = spt_trace_intern(&trace, "a.lua"), b = spt_trace_intern(&trace, "b.lua");
    char copy[] = "a.lua";
    assert_int_not_equal(a, 0);
    assert_int_not_equal(a, b);
    assert_int_equal(spt_trace_intern(&trace, copy), a);
    assert_int_equal(spt_trace_intern(&trace, "b.lua"), b);
    assert_int_equal(spt_trace_intern(&trace, "b.lua"), b);
    assert_string_equal(spt_trace_string(&trace, a), "a.lua");
    assert_string_equal(spt_trace_string(&trace, 0), "");
    assert_string_equal(spt_trace_string(&trace, 12345), "");
    assert_int_equal(spt_trace_intern(&trace, NULL), 0);
    assert_int_not_equal(spt_trace_intern(&trace, ""), 0);
}

static void test_trace_interns_up_to_its_limit(void **state)
{
    char s[16];
    for (int i = 0; i < 65536; i++) {
        snprintf(s, sizeof s, "s%d", i);
        assert_int_equal(spt_trace_intern(&trace, s), i + 1);
    }
    assert_int_equal(spt_trace_intern(&trace, "one more"), 0);
    for (int i = 0; i < 65536; i += 97) {
        snprintf(s, sizeof s, "s%d", i);
        assert_int_equal(spt_trace_intern(&trace, s), i + 1);
        assert_string_equal(spt_trace_string(&trace, (uint32_t)i + 1), s);
    }
}

static uint32_t in_use[3]; /* by the numbers' owner */

static void uses(void *ud)
{
    for (size_t i = 0; i < 3; i++)
        spt_trace_use(ud, in_use[i]);
}

static uint32_t intern_number(int i)
{
    char s[16];
    snprintf(s, sizeof s, "s%d", i);
    return spt_trace_intern(&trace, s);
}

static void assert_number(uint32_t id, int i)
{
    char s[16];
    snprintf(s, sizeof s, "s%d", i);
    assert_string_equal(spt_trace_string(&trace, id), s);
}

static void test_t_p_strings_in_use_survive_any_number_of_others(void **state)
{
    trace.uses = uses;
    trace.ud = &trace;
    uint32_t first = intern_number(0);
    for (int i = 1; i < 10000; i++)
        assert_int_not_equal(intern_number(i), 0);
    for (int i = 0; i < 3; i++)
        in_use[i] = intern_number(9000 + i);
    uint32_t pinned = intern_number(9500), recorded = intern_number(9501),
             forgotten = intern_number(9502);
    spt_trace_pin(&trace, spt_trace_place(pinned, 1));
    spt_trace_put(&trace, (struct spt_rec){
                              .kind = SPT_REC_WAIT, .sub = 1, .b = spt_trace_place(recorded, 3)});
    uint32_t word = spt_trace_word(&trace, "a word"), highest = 0;
    for (int i = 10000; i < 400000; i++) {
        uint32_t id = intern_number(i), before = intern_number(i - 1);
        assert_number(id, i);
        assert_number(before, i - 1);
        highest = id > highest ? id : highest;
    }
    assert_true(highest <= 65536);
    assert_number(first, 0);
    for (int i = 0; i < 3; i++)
        assert_number(in_use[i], 9000 + i);
    assert_number(pinned, 9500);
    assert_number(recorded, 9501);
    assert_string_equal(spt_trace_string(&trace, word), "a word");
    assert_int_equal(spt_trace_word(&trace, "a word"), word);
    assert_int_equal(spt_trace_intern(&trace, "s9000"), in_use[0]);
    assert_string_not_equal(spt_trace_string(&trace, forgotten), "s9502");
    spt_trace_unpin(&trace, spt_trace_place(pinned, 1));
    for (int i = 400000; i < 600000; i++)
        intern_number(i);
    assert_string_not_equal(spt_trace_string(&trace, pinned), "s9500");
}

static void test_trace_durations_are_never_negative(void **state)
{
    const int64_t minute_ns = INT64_C(60000000000);
    assert_int_equal(spt_trace_us(-1), -1);
    assert_int_equal(spt_trace_us(1999), 1);
    assert_int_equal(spt_trace_us(35 * minute_ns), 35 * 60 * 1000000);
    assert_int_equal(spt_trace_us(36 * minute_ns), INT32_MAX);
    assert_int_equal(spt_trace_us(72 * minute_ns), INT32_MAX);
    assert_int_equal(spt_trace_us(INT64_MAX), INT32_MAX);
}

static void test_trace_names_are_cut(void **state)
{
    char s[SPT_TRACE_NAME + 3];
    memset(s, 'n', sizeof s);
    s[SPT_TRACE_NAME] = '\0';
    uint32_t whole = spt_trace_intern(&trace, s);
    assert_int_equal(spt_trace_intern_name(&trace, s), whole);
    s[SPT_TRACE_NAME] = 'n';
    s[SPT_TRACE_NAME + 2] = '\0';
    assert_int_equal(spt_trace_intern_name(&trace, s), whole);
    assert_int_equal(strlen(spt_trace_string(&trace, whole)), SPT_TRACE_NAME);
    assert_int_equal(spt_trace_intern_name(&trace, NULL), 0);
}

/* --- texts --- */

static void test_trace_texts_come_back(void **state)
{
    char out[64];
    uint32_t a = spt_trace_text(&trace, "GET http://a/", 13);
    uint32_t empty = spt_trace_text(&trace, "", 0);
    uint32_t b = spt_trace_text(&trace, "second and not this", 6);
    get_text(a, out, sizeof out);
    assert_string_equal(out, "GET http://a/");
    get_text(b, out, sizeof out);
    assert_string_equal(out, "second");
    get_text(empty, out, sizeof out);
    assert_string_equal(out, "");
    get_text(0, out, sizeof out);
    assert_string_equal(out, "");
    get_text(a, out, 4);
    assert_string_equal(out, "GET");
}

static void test_trace_texts_are_cut(void **state)
{
    char s[3000], out[3000];
    memset(s, 'x', sizeof s);
    get_text(spt_trace_text(&trace, s, sizeof s), out, sizeof out);
    assert_int_equal(strlen(out), SPT_TRACE_TEXT);
}

static void test_trace_level_3_keeps_long_texts(void **state)
{
    static char s[SPT_TEXT_MAX + 5];
    size_t len;
    memset(s, 'x', sizeof s);
    spt_trace_set_level(&trace, 3);
    for (int i = 0; i < 40; i++) {
        uint32_t pos = spt_trace_text(&trace, s, sizeof s);
        assert_non_null(spt_text_ring_find(&trace.texts, pos, &len));
        assert_int_equal(len, SPT_TEXT_MAX);
    }
}

static void test_trace_level_0_records_nothing(void **state)
{
    uint64_t cursor = 0, lost = 0;
    struct spt_event e;
    put(1);
    spt_trace_set_level(&trace, 0);
    put(2);
    assert_int_equal(spt_trace_text(&trace, "x", 1), 0);
    spt_trace_set_level(&trace, 1);
    put(3);
    assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_true(spt_trace_read(&trace, &cursor, &e, &lost));
    assert_int_equal(e.rec.task, 3);
}

/* --- spilling --- */

static struct {
    unsigned calls;
    uint64_t cursor, lost, records;
    uint32_t last;
} spilled;

static void on_spill(void *ud)
{
    struct spt_event e;
    spilled.calls++;
    while (spt_trace_read(&trace, &spilled.cursor, &e, &spilled.lost)) {
        assert_int_equal(e.rec.task, spilled.last + 1);
        spilled.last = e.rec.task;
        spilled.records++;
    }
}

/* Half a ring is new at each call, and a record that is half written waits for the next one. */
static void test_trace_spills_before_it_overwrites(void **state)
{
    memset(&spilled, 0, sizeof spilled);
    spt_trace_set_spill(&trace, on_spill, NULL);
    for (uint32_t i = 1; i <= 1000; i++) {
        if (i % 3 == 0)
            put_xfer(i);
        else
            put(i);
    }
    assert_in_range(spilled.calls, trace.head / (RING / 2) - 1, trace.head / (RING / 2));
    on_spill(NULL);
    assert_int_equal(spilled.records, 1000);
    assert_int_equal(spilled.lost, 0);
    spt_trace_set_spill(&trace, NULL, NULL);
    put(1001);
    assert_true(trace.spill_at == SPT_TRACE_NEVER);
}

static void test_trace_spills_before_texts_are_gone(void **state)
{
    memset(&spilled, 0, sizeof spilled);
    spt_trace_set_spill(&trace, on_spill, NULL);
    char s[1000] = "x";
    for (uint32_t i = 1; i <= 3000; i++)
        spt_trace_text(&trace, s, sizeof s);
    assert_in_range(spilled.calls, 4, 6);
}

/* Writes far more than the text ring holds: each text comes back while it is young, and is
 * reported gone when it is old, never another's. */
static void check_texts(uint32_t count)
{
    static uint32_t pos[60000];
    char s[128], out[128];
    for (uint32_t i = 0; i < count; i++) {
        int len = snprintf(s, sizeof s, "text %u %.*s", i, (int)(i % 61),
                           "---------------------------------------------------------------");
        pos[i] = spt_trace_text(&trace, s, (size_t)len);
        assert_int_not_equal(pos[i], 0);
        uint32_t back = i > 5000 ? i - 5000 : 0;
        get_text(pos[back], out, sizeof out);
        snprintf(s, sizeof s, "text %u ", back);
        assert_memory_equal(out, s, strlen(s));
    }
    uint32_t gone = 0;
    for (uint32_t i = 0; i < count; i++) {
        get_text(pos[i], out, sizeof out);
        snprintf(s, sizeof s, "text %u ", i);
        bool is_gone = strcmp(out, "<gone>") == 0;
        assert_true(is_gone || strncmp(out, s, strlen(s)) == 0);
        assert_true(!is_gone || gone == i);
        gone += is_gone;
    }
    assert_in_range(gone, 1, count - 5000);
}

static void test_trace_texts_are_gone_when_overwritten(void **state)
{
    check_texts(60000);
}

static void test_trace_texts_survive_the_wrap_of_their_positions(void **state)
{
    spt_trace_text(&trace, "x", 1);
    trace.texts.head = (UINT64_C(1) << 32) - 500000;
    check_texts(60000);
}

/* As of a record that is older than 4 GB of texts. */
static void test_trace_position_inside_another_text_is_none(void **state)
{
    char s[SPT_TRACE_TEXT];
    size_t len;
    memset(s, 0xff, sizeof s);
    uint32_t pos = spt_trace_text(&trace, s, sizeof s);
    assert_null(spt_text_ring_find(&trace.texts, pos + 100, &len));
    memset(s, 1, sizeof s); /* a size that is too large */
    pos = spt_trace_text(&trace, s, sizeof s);
    assert_null(spt_text_ring_find(&trace.texts, pos + 100, &len));
}

/* 0 means no text, so no text may get it. */
static void test_trace_text_never_gets_position_zero(void **state)
{
    char s[1024], out[2000];
    memset(s, 'y', sizeof s);
    spt_trace_text(&trace, "x", 1);
    for (uint64_t short_of = 0; short_of < 1030; short_of++) {
        trace.texts.head = (UINT64_C(1) << 32) - short_of;
        uint32_t pos = spt_trace_text(&trace, s, sizeof s);
        assert_int_not_equal(pos, 0);
        get_text(pos, out, sizeof out);
        assert_int_equal(strlen(out), sizeof s);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void test_trace_has_no_records_of_a_muted_task(void **state)
{
    trace.muted = 5;
    struct spt_trace_transfer xfer = xfer_of_task(5);
    put(5);
    spt_trace_spawn(&trace, 1, 5, 0, 0, spt_trace_place(1, 1));
    spt_trace_xfer(&trace, 1, 5, 9, &xfer);
    assert_int_equal(trace.head, 0);
    xfer.method = 5; /* a number of another kind, in a further unit */
    spt_trace_xfer(&trace, 1, 6, 9, &xfer);
    assert_int_equal(trace.head, 4);
    uint64_t cursor = 0, lost = 0;
    struct spt_event event;
    assert_true(spt_trace_read(&trace, &cursor, &event, &lost));
    assert_int_equal(event.xfer.method, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_trace_gives_records_in_order),
        T(test_trace_counts_what_was_overwritten),
        T(test_trace_record_of_several_units),
        T(test_trace_late_reader_finds_whole_records),
        T(test_trace_of_no_records_costs_nothing),
        T(test_trace_size_is_rounded_up),
        T(test_trace_interns_the_same_bytes_once),
        T(test_trace_interns_up_to_its_limit),
        T(test_t_p_strings_in_use_survive_any_number_of_others),
        T(test_trace_durations_are_never_negative),
        T(test_trace_names_are_cut),
        T(test_trace_texts_come_back),
        T(test_trace_texts_are_cut),
        T(test_trace_level_3_keeps_long_texts),
        T(test_trace_level_0_records_nothing),
        T(test_trace_has_no_records_of_a_muted_task),
        T(test_trace_spills_before_it_overwrites),
        T(test_trace_spills_before_texts_are_gone),
        T(test_trace_texts_are_gone_when_overwritten),
        T(test_trace_texts_survive_the_wrap_of_their_positions),
        T(test_trace_position_inside_another_text_is_none),
        T(test_trace_text_never_gets_position_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
