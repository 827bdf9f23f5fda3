/* SPDX-License-Identifier: MIT */
/* What the tests of core/ and op/ stand on: a scheduler in a Lua state of its own, on a clock that
 * only the test moves, with memory that fails on demand. Nothing is asserted inside a callback:
 * cmocka fails by longjmp, which may not cross Lua. The census at the end of each test tells what
 * is left. */
#ifndef SPT_TESTS_SCHED_FIXTURE_H
#define SPT_TESTS_SCHED_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "core/sched.h"
#include "core/task.h"
#include "op/env.h"
#include "support/cmocka.h"
#include "support/fake_op.h"
#include "support/script_words.h"
#include "support/test_file.h"

#define SECOND  UINT64_C(1000000000)
#define ALL     1000000 /* tasks a pass may run */
#define TEXTS   16
#define TEST(f) cmocka_unit_test_setup_teardown(f, sched_fixture_setup, sched_fixture_teardown)

/* Texts that were reported and that no test has expected yet, oldest first. */
struct texts {
    char text[TEXTS][256];
    unsigned n;
};

extern struct sched_fixture {
    lua_State *L;
    struct spt_env env;
    struct spt_sched sched;
    uint64_t now;
    unsigned wakes;
    struct texts unhandled; /* failures that no task saw */
    struct texts warnings;
    void (*on_unhandled)(struct spt_task *); /* instead of `unhandled`, or NULL */
    struct {
        long blocks;      /* handed out */
        long allocations; /* ever */
        long fail_at;     /* number of the allocation that fails; 0: none */
        long fail_run;    /* how many fail in a row */
        long failed;      /* how many did */
    } memory;
} fixture;

int sched_fixture_setup(void **state);
int sched_fixture_teardown(void **state);

/* Fails the `n`th allocation of Lua's, counted from now, and the `run - 1` after it. Lua tries an
 * allocation that fails again after a collection: one failure is none, two in a row are out of
 * memory. */
void fail_memory(long n, long run);
void mend_memory(void);

/* Returns a main task of that code, not run yet. It lives at least until it ends. Returns NULL if
 * memory fails on demand. */
struct spt_task *spawn(const char *code);

/* Spawns, and runs what can run. */
struct spt_task *start(const char *code);

/* Likewise with the function of that name in the Lua file that lies beside the test. */
#define spawn_script(name) spawn_from(TEST_SCRIPTS, name)
#define start_script(name) start_from(TEST_SCRIPTS, name)
struct spt_task *spawn_from(const char *path, const char *name);
struct spt_task *start_from(const char *path, const char *name);

/* Likewise with a file under tests/, as one chunk. */
struct spt_task *start_file(const char *path);

/* Runs code on the main state, outside of tasks. */
void script(const char *code);

/* Runs one pass, and returns how many tasks it ran. */
unsigned lap(void);

/* Runs passes until nothing can run without the test. */
void run(void);

/* Moves the clock, then runs. */
void advance(double seconds);

/* Sets a global. */
void set_integer(const char *global, long n);

/* Returns the task that a script keeps in a global. */
struct spt_task *task(const char *global);

/* Cancels it, too. */
void cancel(const char *global, const char *reason);

/* Cancels every main task, as the host does when it ends. */
void cancel_mains(void);

/* The oldest failure that was reported has this text in it. */
void assert_unhandled(const char *part);
void assert_warned(const char *part);

/* A program that leaves the scheduler consistent, whichever allocation fails. */
struct sweep {
    const char *file;      /* its path under tests/ */
    void (*prepare)(void); /* called while there is memory, or NULL */
    int steps;             /* how often the clock moves, without memory and again with it */
    double seconds;        /* how far each time */
    void (*check)(long n, bool failed); /* called afterwards: did the `n`th allocation fail */
};

/* Runs the program once for each allocation that it asks for, in a scheduler of its own, in which
 * this one and `in_a_row - 1` more fail. */
void fail_each_allocation(const struct sweep *sweep, long in_a_row);

#endif
