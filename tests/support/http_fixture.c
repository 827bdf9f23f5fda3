/* SPDX-License-Identifier: MIT */
/* The census at the end: nothing is left of a session that is gone, and the loop closes clean. */
#include "support/http_fixture.h"

#define HANG_NS (UINT64_C(60) * 1000000000) /* longer than any test: only a hang gets there */

struct http_fixture http;

uint64_t http_fixture_drain(void *ud)
{
    for (int laps = 0; laps < 8; laps++) {
        unsigned fired = spt_timer_expire(&http.timers, spt_loop_now(http.loop));
        bool more = http.driver && spt_driver_pass(http.driver);
        if (!fired && !more)
            break;
    }
    if (http.driver && spt_driver_has_work(http.driver))
        return SPT_LOOP_NOW;
    return spt_timer_next(&http.timers);
}

const char *origin(void)
{
    const char *url = getenv("SEPTET_ORIGIN");
    return url ? url : "http://127.0.0.1:1";
}

struct spt_session *open_session(unsigned limit, unsigned per_host)
{
    struct spt_session *session = NULL;
    const char *bad_rule;
    struct spt_session_config config = {
        .limit = limit,
        .limit_per_host = per_host,
        .resolver = "system", /* a test may stand in for its getaddrinfo */
    };
    assert_int_equal(spt_session_new(&session, http.driver, &config, &bad_rule), SEPTET_OK);
    return session;
}

int http_fixture_setup(void **state)
{
    memset(&http, 0, sizeof http);
    spt_timer_init(&http.timers);
    assert_int_equal(spt_loop_new(&http.loop, NULL, http_fixture_drain, NULL), SEPTET_OK);
    assert_int_equal(spt_driver_new(&http.driver, http.loop, &http.timers), SEPTET_OK);
    http.session = open_session(64, 64);
    return 0;
}

int http_fixture_teardown(void **state)
{
    int bad = 0;
    spt_timer_stop(&http.timers, &http.watchdog);
    if (http.session)
        spt_driver_free_session(http.session);
    if (http.driver) {
        spt_driver_pass(http.driver);
        bad += spt_driver_requests(http.driver) != 0;
        bad += spt_driver_sockets(http.driver) != 0;
        spt_driver_free(http.driver);
        http.driver = NULL;
    }
    bad += spt_timer_next(&http.timers) != SPT_NEVER;
    spt_loop_free(http.loop);
    for (unsigned i = 0; i < FETCHES; i++)
        spt_request_release(&http.fetches[i].request);
    if (bad)
        fprintf(stderr, "census: something is left behind\n");
    return bad;
}

static void on_done(struct spt_request *r)
{
    struct fetch *f = SPT_OF(r, struct fetch, request);
    f->calls++;
    f->order = ++http.done;
    if (http.after_done)
        http.after_done(f);
}

struct fetch *fetch_prepare(const char *path)
{
    assert_true(http.started < FETCHES);
    struct fetch *f = &http.fetches[http.started++];
    snprintf(f->url, sizeof f->url, "%s%s", path[0] == '/' ? origin() : "", path);
    f->request.method = "GET";
    f->request.url = f->url;
    f->request.max_body = 64 << 20;
    f->events.on_done = on_done;
    f->request.timeouts = &f->timeouts;
    f->request.events = &f->events;
    return f;
}

void fetch_start(struct fetch *f)
{
    assert_int_equal(spt_attempt_start(http.session, &f->request), SEPTET_OK);
}

struct fetch *fetch_get(const char *path)
{
    struct fetch *f = fetch_prepare(path);
    fetch_start(f);
    return f;
}

static void on_hang(struct spt_timer *t)
{
    http.hung = true;
}

void turn_until(bool (*test)(void *), void *ud)
{
    http.hung = false;
    spt_timer_start(&http.timers, &http.watchdog, spt_loop_now(http.loop) + HANG_NS, on_hang);
    while (!test(ud) && !http.hung)
        spt_loop_run_once(http.loop, true);
    spt_timer_stop(&http.timers, &http.watchdog);
    if (http.hung)
        fail_msg("it hangs");
}

void move_clock(uint64_t ns)
{
    uint64_t now_ns = spt_loop_now(http.loop);
    spt_loop_make_virtual(http.loop);
    spt_loop_clock_advance(http.loop, now_ns + ns);
    spt_loop_clock_run(http.loop, true);
}

static bool is_done(void *f)
{
    return ((struct fetch *)f)->calls > 0;
}

static bool count_done(void *n)
{
    return http.done >= *(unsigned *)n;
}

void fetch_finish(struct fetch *f)
{
    turn_until(is_done, f);
    assert_int_equal(f->calls, 1);
}

void fetch_finish_all(unsigned n)
{
    turn_until(count_done, &n);
}

struct fetch *fetch_ok(const char *path, int status)
{
    struct fetch *f = fetch_get(path);
    fetch_finish(f);
    assert_null(f->request.failure.code);
    assert_int_equal(f->request.response->status, status);
    return f;
}

void assert_failed(struct fetch *f, const char *code, const char *reason, const char *phase)
{
    struct spt_failure *failure = &f->request.failure;
    assert_non_null(failure->code);
    assert_string_equal(failure->code, code);
    if (reason) {
        assert_non_null(failure->reason);
        assert_string_equal(failure->reason, reason);
    }
    if (phase)
        assert_string_equal(spt_phase_name(failure->phase), phase);
    if (strcmp(code, "memory") != 0)
        assert_non_null(failure->text);
}

struct phase_of {
    struct fetch *fetch;
    enum spt_phase phase;
};

static bool in_phase(void *ud)
{
    struct phase_of *of = ud;
    return spt_timeouts_phase(&of->fetch->request) == of->phase;
}

void fetch_reach(struct fetch *f, enum spt_phase phase)
{
    turn_until(in_phase, &(struct phase_of){f, phase});
}
