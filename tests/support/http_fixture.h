/* SPDX-License-Identifier: MIT */
/* What the tests of http/ share: a loop that drains timers and driver, a session, and requests
 * that live longer than a failed test. Nothing is asserted inside a callback: cmocka fails by
 * longjmp, which may not cross libuv or libcurl. */
#ifndef SPT_TESTS_HTTP_FIXTURE_H
#define SPT_TESTS_HTTP_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/attempt.h"
#include "http/driver.h"
#include "http/headers.h"
#include "http/request.h"
#include "http/session.h"
#include "http/state.h"
#include "http/timeouts.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "support/cmocka.h"

#define MS(n)   ((uint64_t)(n)*1000000)
#define TEST(f) cmocka_unit_test_setup_teardown(f, http_fixture_setup, http_fixture_teardown)

enum { FETCHES = 256 };

/* A request with what it borrows. */
struct fetch {
    struct spt_request request;
    struct spt_request_timeouts timeouts;
    struct spt_request_events events;
    char url[512];
    unsigned calls; /* of on_done */
    unsigned order; /* in which it was done, from 1 */
};

extern struct http_fixture {
    struct spt_loop *loop;
    struct spt_timers timers;
    struct spt_driver *driver;
    struct spt_session *session;
    struct fetch fetches[FETCHES];
    unsigned started;
    unsigned done;
    struct spt_timer watchdog;
    bool hung;
    void (*after_done)(struct fetch *); /* runs inside on_done, or NULL */
} http;

int http_fixture_setup(void **state);
int http_fixture_teardown(void **state);

/* What the loop runs before it polls. */
uint64_t http_fixture_drain(void *ud);

/* Returns the origin's URL. */
const char *origin(void);

/* Opens a session besides, or in place of, the fixture's own. */
struct spt_session *open_session(unsigned limit, unsigned per_host);

/* Returns a GET of `path` at the origin, or of an absolute URL, not started. */
struct fetch *fetch_prepare(const char *path);
void fetch_start(struct fetch *f);

/* Prepares and starts. */
struct fetch *fetch_get(const char *path);

/* Turns the loop until the request is done. */
void fetch_finish(struct fetch *f);

/* Turns the loop until `n` requests are done. */
void fetch_finish_all(unsigned n);

/* Turns the loop until the request is in that phase. */
void fetch_reach(struct fetch *f, enum spt_phase phase);

/* Fetches `path` whole, and checks that it did. */
struct fetch *fetch_ok(const char *path, int status);

/* Moves the loop's clock on, which then goes on from there. Limits may be so long that no machine
 * reaches them by itself. */
void move_clock(uint64_t ns);

/* Turns the loop until `test` returns true. */
void turn_until(bool (*test)(void *), void *ud);

/* The request failed. A `reason` or `phase` of NULL is any. */
void assert_failed(struct fetch *f, const char *code, const char *reason, const char *phase);

#endif
