/* What the tests of loop/ stand on: a loop whose drain is timers and driver, a session, and
 * requests that live longer than a failed test. Nothing is asserted inside a callback: cmocka fails
 * by longjmp, which may not cross libuv or libcurl. */
#ifndef SPT_TESTS_HTTP_FIXTURE_H
#define SPT_TESTS_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/attempt.h"
#include "http/driver.h"
#include "http/headers.h"
#include "http/request.h"
#include "http/session.h"
#include "http/state.h"
#include "http/timeouts.h"
#include "loop/loop.h"
#include "septet/septet.h"

#define FETCHES  256
#define HANG_NS  (UINT64_C(60) * 1000000000) /* longer than any test: only a hang gets there */
#define MS(n)    ((uint64_t)(n)*1000000)
#define UNUSED   __attribute__((unused))
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

struct fetch {
    struct spt_request request;
    struct spt_limits limits;
    struct spt_request_events events;
    char url[512];
    unsigned calls; /* of on_done */
    unsigned order; /* in which it was done, from 1 */
};

static struct rig {
    struct spt_loop *loop;
    struct spt_timers timers;
    struct spt_driver *driver;
    struct spt_session *session;
    struct fetch fetches[FETCHES];
    unsigned started;
    unsigned done;
    struct spt_timer watchdog;
    bool hung;
    void (*after_done)(struct fetch *); /* runs inside on_done */
} rig;

static uint64_t rig_drain(void *ud)
{
    for (int laps = 0; laps < 8; laps++) {
        unsigned fired = spt_timers_expire(&rig.timers, spt_loop_now(rig.loop));
        bool more = rig.driver && spt_driver_drain(rig.driver);
        if (!fired && !more)
            break;
    }
    if (rig.driver && spt_driver_due(rig.driver) == 0)
        return SPT_LOOP_NOW;
    return spt_timers_next(&rig.timers);
}

UNUSED static const char *origin(void)
{
    const char *url = getenv("SEPTET_ORIGIN");
    return url ? url : "http://127.0.0.1:1";
}

UNUSED static struct spt_session *rig_session(unsigned limit, unsigned per_host)
{
    struct spt_session *session = NULL;
    struct spt_session_config config = {
        .limit = limit,
        .limit_per_host = per_host,
        .resolver = "system", /* whose getaddrinfo a test may stand in for */
    };
    assert_int_equal(spt_session_new(&session, rig.driver, &config), SEPTET_OK);
    return session;
}

UNUSED static int rig_setup(void **state)
{
    memset(&rig, 0, sizeof rig);
    spt_timers_init(&rig.timers);
    assert_int_equal(spt_loop_new(&rig.loop, NULL, rig_drain, NULL), SEPTET_OK);
    assert_int_equal(spt_driver_new(&rig.driver, rig.loop, &rig.timers), SEPTET_OK);
    rig.session = rig_session(64, 64);
    return 0;
}

/* The census: nothing is left of a session that is gone, and the loop closes clean. */
UNUSED static int rig_teardown(void **state)
{
    int bad = 0;
    spt_timer_stop(&rig.timers, &rig.watchdog);
    if (rig.session)
        spt_driver_free_session(rig.session);
    if (rig.driver) {
        spt_driver_drain(rig.driver);
        bad += spt_driver_requests(rig.driver) != 0;
        bad += spt_driver_sockets(rig.driver) != 0;
        spt_driver_free(rig.driver);
        rig.driver = NULL;
    }
    bad += spt_timers_next(&rig.timers) != SPT_NEVER;
    bad += spt_loop_free(rig.loop) != SEPTET_OK;
    for (unsigned i = 0; i < FETCHES; i++)
        spt_request_release(&rig.fetches[i].request);
    if (bad)
        fprintf(stderr, "census: something is left behind\n");
    return bad;
}

static void rig_on_done(struct spt_request *r)
{
    struct fetch *f = SPT_OF(r, struct fetch, request);
    f->calls++;
    f->order = ++rig.done;
    if (rig.after_done)
        rig.after_done(f);
}

/* A GET of `path` at the origin (or of an absolute URL), not started. */
UNUSED static struct fetch *prepare(const char *path)
{
    assert_true(rig.started < FETCHES);
    struct fetch *f = &rig.fetches[rig.started++];
    snprintf(f->url, sizeof f->url, "%s%s", path[0] == '/' ? origin() : "", path);
    f->request.method = "GET";
    f->request.url = f->url;
    f->request.max_body = 64 << 20;
    f->events.on_done = rig_on_done;
    f->request.limits = &f->limits;
    f->request.events = &f->events;
    return f;
}

UNUSED static void start(struct fetch *f)
{
    assert_int_equal(spt_attempt_start(rig.session, &f->request), SEPTET_OK);
}

UNUSED static struct fetch *get(const char *path)
{
    struct fetch *f = prepare(path);
    start(f);
    return f;
}

static void rig_on_hang(struct spt_timer *t)
{
    rig.hung = true;
}

/* Turns the loop until `test` says so. */
UNUSED static void turn_until(bool (*test)(void *), void *ud)
{
    rig.hung = false;
    spt_timer_start(&rig.timers, &rig.watchdog, spt_loop_now(rig.loop) + HANG_NS, rig_on_hang);
    while (!test(ud) && !rig.hung)
        spt_loop_run_once(rig.loop, true);
    spt_timer_stop(&rig.timers, &rig.watchdog);
    if (rig.hung)
        fail_msg("it hangs");
}

static bool is_done(void *f)
{
    return ((struct fetch *)f)->calls > 0;
}

static bool count_done(void *n)
{
    return rig.done >= *(unsigned *)n;
}

UNUSED static void finish(struct fetch *f)
{
    turn_until(is_done, f);
    assert_int_equal(f->calls, 1);
}

UNUSED static void finish_all(unsigned n)
{
    turn_until(count_done, &n);
}

/* Fetches `path` whole and checks that it did. */
UNUSED static struct fetch *fetch_ok(const char *path, int status)
{
    struct fetch *f = get(path);
    finish(f);
    assert_null(f->request.failure.code);
    assert_int_equal(f->request.response->status, status);
    return f;
}

UNUSED static void assert_failed(struct fetch *f, const char *code, const char *reason,
                                 const char *phase)
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

UNUSED static bool in_phase(void *f)
{
    struct fetch *fetch = f;
    return spt_timeouts_phase(&fetch->request) == (enum spt_phase)fetch->order;
}

/* Turns until a request is where `phase` says. */
UNUSED static void reach(struct fetch *f, enum spt_phase phase)
{
    f->order = phase;
    turn_until(in_phase, f);
    f->order = 0;
}

#endif
