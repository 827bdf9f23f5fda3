/* SPDX-License-Identifier: MIT */
/* An operation that the test completes by hand, so that every interleaving is written down and none
 * is raced. A script waits in it with `fake(name)`. Nothing is asserted inside a callback: cmocka
 * fails by longjmp, which may not cross Lua. What the callbacks see wrong they count. */
#ifndef SPT_TESTS_FAKE_OP_H
#define SPT_TESTS_FAKE_OP_H

#include <lua.h>
#include <stdbool.h>

#include "septet/op.h"

/* What the operation of that name does, and what was done to it. */
struct fake {
    char name[32];
    septet_op_type type; /* each fake has its own, which the test may change */
    septet_op *op;       /* waits now, or NULL */
    bool done_in_start;
    int result;       /* status of a done inside start */
    int start_fails;  /* a status that start returns, or 0: it arms; once done, if done_in_start */
    bool push_raises; /* an error */
    void (*on_push)(lua_State *L);
    void (*on_cancel)(struct fake *);
    unsigned starts, cancels, pushes, closes;
};

/* Forgets all fakes, and what they saw wrong. */
void fakes_reset(void);

/* Returns how many laws were broken, and prints each. If `out_of_memory`, an operation that was
 * started may have been neither pushed nor cancelled. */
unsigned fakes_census(bool out_of_memory);

/* Returns how many laws the callbacks saw broken. */
unsigned fakes_wrong(void);

/* Returns the fake of that name, and makes it at its first mention. */
struct fake *fake(const char *name);

/* Like `fake()`, but it has something to give back. */
struct fake *fake_closing(const char *name);

/* Like `fake_closing()`, but it is too large for its task's slot. */
struct fake *fake_large(const char *name);

/* For `type.describe`: "the NAME". */
void fake_describe(const septet_op *op, char *text, size_t size);

/* Completes the fake of that name. */
void done(const char *name, int status);

void assert_counts(const char *name, unsigned starts, unsigned cancels, unsigned pushes,
                   unsigned closes);

/* fake(name): waits for the test; returns the status and the name. */
int l_fake(lua_State *L);

/* done(name): completes a fake from inside a task. */
int l_done(lua_State *L);

#endif
