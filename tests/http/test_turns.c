/* SPDX-License-Identifier: MIT */
/* What one turn of the loop receives and decodes, in bytes: what exceeds its budget stays where it
 * is until the next turn. */
#include "support/http_fixture.h"

#include "loop/turn_budget.h"

enum {
    PIECE = 16 * 1024, /* what libcurl reads, and the decoder writes, at once */
    LIMIT = 64 * 1024, /* of a turn */
    BODIES = 32,
    PLAIN = 256 * 1024, /* bytes of each */
    PACKED = 20000000,  /* bytes of a body that is packed a thousandfold */
    PACKED_TURNS = PACKED / (LIMIT + PIECE)
};

/* Counts what each turn adds. */
static struct {
    uint64_t bytes, most;
    unsigned turns; /* that received anything */
} seen;

static uint64_t received(void)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < http.started; i++) {
        const struct spt_response *t = http.fetches[i].request.response;
        bytes += t ? t->body.received : 0;
    }
    return bytes;
}

static void limit_turns(uint64_t bytes)
{
    spt_loop_budget(http.loop)->bytes_max = bytes;
    memset(&seen, 0, sizeof seen);
}

static void turn(void)
{
    spt_loop_run_once(http.loop, true);
    uint64_t now = received(), added = now - seen.bytes;
    seen.bytes = now;
    seen.turns += added > 0;
    seen.most = added > seen.most ? added : seen.most;
}

/* Turns the loop until a body is stopped inside a chunk that is packed. */
static void reach_stop(struct fetch *f)
{
    while (f->calls == 0 && !(f->request.response && f->request.response->body.stopped))
        turn();
    assert_int_equal(f->calls, 0);
    assert_true(f->request.state.easy->decoding.taken > 0);
    assert_true(spt_driver_has_work(http.driver)); /* the loop does not wait for the socket */
}

static void finish_by_turns(unsigned n)
{
    while (http.done < n)
        turn();
}

static void assert_whole(const struct fetch *f, size_t len)
{
    assert_null(f->request.failure.code);
    assert_int_equal(f->request.response->status, 200);
    assert_int_equal(f->request.response->body.buf.len, len);
    const char *data = f->request.response->body.buf.data;
    for (size_t i = 16; i < len; i++)
        if (data[i] != data[i - 16]) /* the origin's pattern */
            fail_msg("byte %zu of the body differs", i);
}

static void test_e_3_readable_sockets_share_the_bytes_of_a_turn(void **state)
{
    char path[32];
    snprintf(path, sizeof path, "/bytes/%d", PLAIN);
    limit_turns(LIMIT);
    for (int i = 0; i < BODIES; i++)
        fetch_get(path);
    finish_by_turns(BODIES);
    for (int i = 0; i < BODIES; i++)
        assert_whole(&http.fetches[i], PLAIN);
    assert_true(seen.most <= LIMIT + PIECE);
    assert_true(seen.turns >= BODIES * (PLAIN / (LIMIT + PIECE)));
}

static void test_e_3_a_packed_body_is_decoded_over_many_turns(void **state)
{
    limit_turns(LIMIT);
    struct fetch *f = fetch_get("/gzip?bytes=20000000");
    finish_by_turns(1);
    assert_whole(f, PACKED);
    assert_true(seen.most <= LIMIT + PIECE);
    assert_true(seen.turns >= PACKED_TURNS);
}

static void test_e_3_other_requests_end_while_a_body_is_stopped(void **state)
{
    limit_turns(LIMIT);
    /* it takes so many turns that a slow origin answers the others meanwhile */
    struct fetch *packed = fetch_get("/gzip?bytes=100000000");
    reach_stop(packed);
    for (int i = 0; i < 8; i++)
        fetch_get("/bytes/100000");
    finish_by_turns(8);
    assert_int_equal(packed->calls, 0);
    for (int i = 1; i <= 8; i++)
        assert_whole(&http.fetches[i], 100000);
    spt_attempt_cancel(&packed->request);
}

/* With no time left, each turn still advances something, by one piece. */
static void test_e_3_a_turn_without_time_receives_one_piece(void **state)
{
    limit_turns(UINT64_MAX);
    spt_loop_budget(http.loop)->until_ns = 1;
    fetch_get("/bytes/300000");
    fetch_get("/gzip?bytes=1000000");
    fetch_get("/bytes/300000");
    finish_by_turns(3);
    assert_whole(&http.fetches[0], 300000);
    assert_whole(&http.fetches[1], 1000000);
    assert_whole(&http.fetches[2], 300000);
    assert_true(seen.most <= 4 * PIECE); /* a chunk of plain bytes may be several pieces */
}

/* The reader's pauses and those of a turn do not disturb each other. */
static void test_e_3_a_streamed_body_is_stopped_and_paused(void **state)
{
    limit_turns(LIMIT);
    struct fetch *f = fetch_prepare("/gzip?bytes=3000000");
    f->request.high_water = 100000;
    fetch_start(f);
    size_t taken = 0;
    unsigned pauses = 0, stops = 0;
    while (f->calls == 0) {
        turn();
        struct spt_response *t = f->request.response;
        size_t n = t ? spt_sink_available(&t->body) : 0;
        assert_true(n <= 100000 + PIECE);
        stops += t && t->body.stopped;
        if (!t || !t->body.paused || t->body.stopped)
            continue;
        for (size_t i = 0; i < n; i++)
            if (t->body.buf.data[t->body.consumed + i] != "0123456789abcdef"[(taken + i) % 16])
                fail_msg("byte %zu of the body differs", taken + i);
        pauses++;
        taken += n;
        t->body.consumed += n;
        spt_attempt_resume(&f->request);
    }
    assert_true(pauses > 0 && stops > 0);
    assert_null(f->request.failure.code);
    assert_int_equal(taken + spt_sink_available(&f->request.response->body), 3000000);
}

/* --- the end of a stopped body --- */

static void test_e_3_a_stopped_body_is_cancelled(void **state)
{
    limit_turns(LIMIT);
    struct fetch *f = fetch_get("/gzip?bytes=20000000");
    reach_stop(f);
    spt_attempt_cancel(&f->request);
    assert_int_equal(http.session->paused, 0);
    fetch_ok("/bytes/3", 200);
    assert_int_equal(f->calls, 0);
}

static void test_e_3_a_stopped_body_times_out(void **state)
{
    limit_turns(LIMIT);
    struct fetch *f = fetch_get("/gzip?bytes=20000000");
    reach_stop(f);
    f->request.deadline_ns = spt_loop_now(http.loop);
    spt_timeouts_enter(&f->request, SPT_PHASE_RECEIVING, f->request.deadline_ns);
    fetch_finish(f);
    assert_failed(f, "timeout", "total", "receive");
    assert_true(f->request.response->body.received < PACKED);
    fetch_ok("/bytes/3", 200);
}

static void test_e_3_a_session_closes_with_a_stopped_body(void **state)
{
    limit_turns(LIMIT);
    struct fetch *f = fetch_get("/gzip?bytes=20000000");
    reach_stop(f);
    spt_driver_close_session(http.session);
    fetch_finish(f);
    assert_failed(f, "closed", NULL, "receive");
}

static void test_e_3_a_stopped_body_is_discarded(void **state)
{
    limit_turns(LIMIT);
    struct fetch *f = fetch_prepare("/gzip?bytes=20000000");
    f->request.high_water = 1 << 20;
    fetch_start(f);
    reach_stop(f);
    spt_attempt_discard_body(&f->request);
    fetch_finish(f);
    assert_null(f->request.failure.code);
    assert_true(f->request.response->body.received < PACKED);
    fetch_ok("/bytes/3", 200);
}

static void test_e_3_a_stopped_body_turns_out_too_large(void **state)
{
    limit_turns(LIMIT);
    struct fetch *f = fetch_prepare("/gzip?bytes=20000000");
    f->request.max_body = 1000000;
    fetch_start(f);
    finish_by_turns(1);
    assert_failed(f, "body_too_large", NULL, "receive");
    assert_true(seen.most <= LIMIT + PIECE);
    assert_true(seen.turns >= 1000000 / (LIMIT + PIECE));
}

/* The driver is freed by the teardown. */
static void test_e_3_everything_ends_with_a_stopped_body_and_sockets_left(void **state)
{
    limit_turns(LIMIT);
    reach_stop(fetch_get("/gzip?bytes=20000000"));
    for (int i = 0; i < BODIES; i++)
        fetch_get("/bytes/1000000");
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(http.done, 0);
    assert_true(spt_turn_budget_has_left(spt_loop_budget(http.loop)));
    for (unsigned i = 0; i < http.started; i++)
        spt_attempt_cancel(&http.fetches[i].request);
}

/* --- finished requests --- */

static void test_e_3_finished_requests_are_reported_one_by_one_when_time_is_over(void **state)
{
    for (int i = 0; i < 20; i++)
        fetch_get("/bytes/3");
    fetch_reach(&http.fetches[19], SPT_PHASE_WAITING);
    spt_driver_close_session(http.session); /* finishes them all */
    spt_loop_budget(http.loop)->until_ns = 1;
    unsigned before = http.done, left = 20 - before;
    for (unsigned i = 1; i <= left; i++) {
        spt_driver_pass(http.driver);
        assert_int_equal(http.done, before + i);
        assert_int_equal(http.fetches[before + i - 1].calls, 1); /* in their order */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_e_3_readable_sockets_share_the_bytes_of_a_turn),
        TEST(test_e_3_a_packed_body_is_decoded_over_many_turns),
        TEST(test_e_3_other_requests_end_while_a_body_is_stopped),
        TEST(test_e_3_a_turn_without_time_receives_one_piece),
        TEST(test_e_3_a_streamed_body_is_stopped_and_paused),
        TEST(test_e_3_a_stopped_body_is_cancelled),
        TEST(test_e_3_a_stopped_body_times_out),
        TEST(test_e_3_a_session_closes_with_a_stopped_body),
        TEST(test_e_3_a_stopped_body_is_discarded),
        TEST(test_e_3_a_stopped_body_turns_out_too_large),
        TEST(test_e_3_everything_ends_with_a_stopped_body_and_sockets_left),
        TEST(test_e_3_finished_requests_are_reported_one_by_one_when_time_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
