/* SPDX-License-Identifier: MIT */
/* The fakes are found by name, in the order of their first mention. */
#include "support/fake_op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "core/task.h"
#include "support/cmocka.h"

enum { FAKES = 64, CANARY = 0xC0FFEE };

struct fake_op {
    septet_op op;
    struct fake *fake;
    unsigned canary; /* what push finds of it: an operation's memory is its own */
};

static struct fake fakes[FAKES];
static unsigned nfakes;
static unsigned wrongs;
static const char *wrong_last;

static void wrong(const char *what)
{
    wrongs++;
    wrong_last = what;
}

static struct fake *fake_of(const septet_op *op)
{
    return ((const struct fake_op *)op)->fake;
}

/* --- the operation --- */

static int fake_start(septet_op *op)
{
    struct fake *f = fake_of(op);
    f->starts++;
    if (f->op)
        wrong("a fake was started twice at once");
    if (f->done_in_start)
        septet_op_done(op, f->result);
    else if (!f->start_fails)
        f->op = op;
    return f->start_fails;
}

static void fake_cancel(septet_op *op)
{
    struct fake *f = fake_of(op);
    f->cancels++;
    if (f->op != op)
        wrong("cancel of an operation that is not armed");
    f->op = NULL;
    if (f->on_cancel)
        f->on_cancel(f);
}

static int fake_push(septet_op *op, lua_State *L)
{
    struct fake *f = fake_of(op);
    f->pushes++;
    if (f->closes + f->cancels >= f->starts)
        wrong("push after close or cancel");
    if (f->on_push)
        f->on_push(L);
    if (((struct fake_op *)op)->canary != CANARY || fake_of(op) != f) {
        wrong("the memory of an operation was overwritten");
        return 0;
    }
    if (f->push_raises)
        return luaL_error(L, "push of %s", f->name);
    lua_pushinteger(L, op->status);
    lua_pushstring(L, f->name);
    return 2;
}

static void fake_close(septet_op *op)
{
    struct fake *f = fake_of(op);
    f->closes++;
    if (f->op == op)
        wrong("close of an armed operation");
}

void fake_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "the %s", fake_of(op)->name);
}

/* --- making and completing --- */

struct fake *fake(const char *name)
{
    for (unsigned i = 0; i < nfakes; i++)
        if (strcmp(fakes[i].name, name) == 0)
            return &fakes[i];
    if (nfakes == FAKES) {
        fprintf(stderr, "too many fakes\n");
        abort();
    }
    struct fake *f = &fakes[nfakes++];
    snprintf(f->name, sizeof f->name, "%s", name);
    f->type = (septet_op_type){.name = "fake",
                               .size = sizeof(struct fake_op),
                               .abi = SEPTET_OP_ABI,
                               .start = fake_start,
                               .cancel = fake_cancel,
                               .push = fake_push};
    return f;
}

struct fake *fake_closing(const char *name)
{
    struct fake *f = fake(name);
    f->type.close = fake_close;
    return f;
}

struct fake *fake_large(const char *name)
{
    struct fake *f = fake_closing(name);
    f->type.size = sizeof(struct fake_op) + SPT_SLOT_SIZE;
    return f;
}

void done(const char *name, int status)
{
    septet_op *op = fake(name)->op;
    if (!op)
        fail_msg("no task waits for '%s'", name);
    fake(name)->op = NULL;
    septet_op_done(op, status);
}

int l_fake(lua_State *L)
{
    struct fake *f = fake(luaL_checkstring(L, 1));
    septet_op *op = septet_op_new(L, &f->type);
    ((struct fake_op *)op)->fake = f;
    ((struct fake_op *)op)->canary = CANARY;
    return septet_op_await(L, op);
}

int l_done(lua_State *L)
{
    struct fake *f = fake(luaL_checkstring(L, 1));
    septet_op *op = f->op;
    if (!op)
        return luaL_error(L, "no task waits for '%s'", f->name);
    f->op = NULL;
    septet_op_done(op, SEPTET_OK);
    return 0;
}

/* --- what was done to them --- */

void assert_counts(const char *name, unsigned starts, unsigned cancels, unsigned pushes,
                   unsigned closes)
{
    struct fake *f = fake(name);
    assert_int_equal(f->starts, starts);
    assert_int_equal(f->cancels, cancels);
    assert_int_equal(f->pushes, pushes);
    assert_int_equal(f->closes, closes);
}

static unsigned broken(bool bad, const char *law)
{
    if (bad)
        fprintf(stderr, "census: %s\n", law);
    return bad;
}

unsigned fakes_census(bool out_of_memory)
{
    unsigned bad = broken(wrongs, wrong_last);
    for (unsigned i = 0; i < nfakes; i++) {
        const struct fake *f = &fakes[i];
        unsigned ended = f->pushes + f->cancels;
        bad += broken(f->op != NULL, "a fake still waits");
        bad +=
            broken(f->type.close && f->closes != f->starts, "a fake was not closed once a start");
        bad += broken(ended > f->starts, "a fake was pushed and cancelled");
        bad +=
            broken(ended < f->starts && !out_of_memory, "a fake was neither pushed nor cancelled");
    }
    return bad;
}

unsigned fakes_wrong(void)
{
    return wrongs;
}

void fakes_reset(void)
{
    memset(fakes, 0, sizeof fakes);
    nfakes = wrongs = 0;
}
