/* What the tests of core/ and op/ stand on: a scheduler in a Lua state of its own, on a clock that
 * only the test moves, with memory that fails on demand, and an operation that the test completes
 * by hand, so that every interleaving is written down and none is raced. Nothing is asserted inside
 * a callback: cmocka fails by longjmp, which may not cross Lua. What callbacks see wrong they
 * count, and the census at the end of each test tells. */
#ifndef SPT_TESTS_SCHED_FIXTURE_H
#define SPT_TESTS_SCHED_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "core/error.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "lua/lib.h"
#include "op/env.h"
#include "septet/op.h"
#include "septet/septet.h"

#define UNUSED  __attribute__((unused))
#define SECOND  UINT64_C(1000000000)
#define FAKES   64
#define ALL     1000000 /* tasks a lap may run */
#define LAPS    1000000 /* more than any test needs: only a hang gets there */
#define TEXTS   16
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

/* The fake operation: what it shall do, and what was done to it. Found by name. */
struct fake {
    char name[32];
    septet_op_type
        type;      /* each fake has its own: flags, close and describe may be set by the test */
    septet_op *op; /* waiting now; NULL: none */
    bool done_in_start;
    int start_fails;  /* a status that start returns; 0: it arms */
    bool push_raises; /* an error */
    void (*on_push)(lua_State *L);
    void (*on_cancel)(struct fake *);
    int result; /* status of a done inside start */
    unsigned starts, cancels, pushes, closes;
};

struct fake_op {
    septet_op op;
    struct fake *fake;
    unsigned canary; /* what push finds of it: an operation's memory is its own */
};

#define CANARY 0xC0FFEEu

static struct world {
    lua_State *L;
    struct spt_env env;
    struct spt_sched s;
    uint64_t now;
    unsigned wakes;
    struct fake fakes[FAKES];
    unsigned nfakes;
    char log[4096];             /* what scripts logged, by spaces */
    char unhandled[TEXTS][256]; /* failures nobody saw, not yet expected by the test */
    unsigned nunhandled;
    void (*on_unhandled)(struct spt_task *);
    char warnings[TEXTS][256];
    unsigned nwarnings;
    unsigned wrong;       /* laws broken inside callbacks */
    const char *wrong_at; /* the last of them */
    long blocks;          /* of Lua memory */
    long allocations;     /* ever */
    long fail_at;         /* number of the allocation that fails; 0: none */
    long fail_run;        /* how many fail in a row */
    long failed;          /* how many did */
} world;

static void wrong(const char *what)
{
    world.wrong++;
    world.wrong_at = what;
}

/* --- memory --- */

static void *world_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct world *w = ud;
    if (nsize == 0) {
        w->blocks -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (!ptr || nsize > osize) {
        w->allocations++;
        if (w->fail_at && w->allocations >= w->fail_at &&
            w->allocations - w->fail_at < w->fail_run) {
            w->failed++;
            return NULL;
        }
    }
    void *p = realloc(ptr, nsize);
    w->blocks += !ptr && p;
    return p;
}

/* From the `n`th allocation on, counted from now, `run` fail. An allocation that fails is tried
 * again after a garbage collection: one failure is none, two in a row are out of memory. */
UNUSED static void fail_memory(long n, long run)
{
    world.fail_at = world.allocations + n;
    world.fail_run = run;
    world.failed = 0;
}

UNUSED static void mend_memory(void)
{
    world.fail_at = 0;
}

/* --- the fake operation --- */

static struct fake *fake_of(const septet_op *op)
{
    return ((const struct fake_op *)op)->fake;
}

static int fake_start(septet_op *op)
{
    struct fake *f = fake_of(op);
    f->starts++;
    if (f->op)
        wrong("a fake was started twice at once");
    if (f->start_fails)
        return f->start_fails;
    if (f->done_in_start)
        septet_op_done(op, f->result);
    else
        f->op = op;
    return SEPTET_OK;
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

UNUSED static void fake_close(septet_op *op)
{
    struct fake *f = fake_of(op);
    f->closes++;
    if (f->op == op)
        wrong("close of an armed operation");
}

UNUSED static void fake_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "the %s", fake_of(op)->name);
}

/* The fake of that name, made at its first mention. */
static struct fake *fake(const char *name)
{
    for (unsigned i = 0; i < world.nfakes; i++)
        if (strcmp(world.fakes[i].name, name) == 0)
            return &world.fakes[i];
    if (world.nfakes == FAKES) {
        fprintf(stderr, "too many fakes\n");
        abort();
    }
    struct fake *f = &world.fakes[world.nfakes++];
    snprintf(f->name, sizeof f->name, "%s", name);
    f->type = (septet_op_type){.name = "fake",
                               .size = sizeof(struct fake_op),
                               .start = fake_start,
                               .cancel = fake_cancel,
                               .push = fake_push};
    return f;
}

/* The same, with something to give back. */
UNUSED static struct fake *fake_closing(const char *name)
{
    struct fake *f = fake(name);
    f->type.close = fake_close;
    return f;
}

/* The same, too large for its task's slot. */
UNUSED static struct fake *fake_large(const char *name)
{
    struct fake *f = fake_closing(name);
    f->type.size = sizeof(struct fake_op) + SPT_SLOT_SIZE;
    return f;
}

/* fake(name): waits for the test; returns the status and the name. */
static int l_fake(lua_State *L)
{
    struct fake *f = fake(luaL_checkstring(L, 1));
    septet_op *op = septet_op_new(L, &f->type);
    ((struct fake_op *)op)->fake = f;
    ((struct fake_op *)op)->canary = CANARY;
    return septet_op_await(L, op);
}

/* Completes the fake of that name. */
UNUSED static void done(const char *name, int status)
{
    septet_op *op = fake(name)->op;
    if (!op)
        fail_msg("nobody waits for '%s'", name);
    fake(name)->op = NULL;
    septet_op_done(op, status);
}

UNUSED static void assert_counts(const char *name, unsigned starts, unsigned cancels,
                                 unsigned pushes, unsigned closes)
{
    struct fake *f = fake(name);
    assert_int_equal(f->starts, starts);
    assert_int_equal(f->cancels, cancels);
    assert_int_equal(f->pushes, pushes);
    assert_int_equal(f->closes, closes);
}

/* --- what scripts get besides Septet's own --- */

/* log(...): appends words that the test compares. */
static int l_log(lua_State *L)
{
    for (int i = 1; i <= lua_gettop(L); i++) {
        size_t len = strlen(world.log);
        snprintf(world.log + len, sizeof world.log - len, "%s%s", len ? " " : "",
                 luaL_tolstring(L, i, NULL));
        lua_pop(L, 1);
    }
    return 0;
}

/* done(name): completes a fake from inside a task. */
static int l_done(lua_State *L)
{
    struct fake *f = fake(luaL_checkstring(L, 1));
    septet_op *op = f->op;
    if (!op)
        return luaL_error(L, "nobody waits for '%s'", f->name);
    f->op = NULL;
    septet_op_done(op, SEPTET_OK);
    return 0;
}

/* raw_resume(co): as C code would that does not know of Septet. */
static int l_raw_resume(lua_State *L)
{
    int n = 0;
    lua_State *co = lua_tothread(L, 1);
    int status = lua_resume(co, L, 0, &n);
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return 2;
    }
    lua_pop(co, n);
    return 1;
}

/* raw_yield(...): as C code would that does not know of Septet. */
static int l_raw_yield(lua_State *L)
{
    return lua_yield(L, lua_gettop(L));
}

/* in_c(fn): calls it with no way to suspend. */
static int l_in_c(lua_State *L)
{
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* thread_of(task): the address of its coroutine. */
static int l_thread_of(lua_State *L)
{
    struct spt_task *t = luaL_checkudata(L, 1, SPT_TASK_META);
    lua_pushlightuserdata(L, t->co);
    return 1;
}

static const luaL_Reg world_functions[] = {{"fake", l_fake},
                                           {"done", l_done},
                                           {"log", l_log},
                                           {"raw_resume", l_raw_resume},
                                           {"raw_yield", l_raw_yield},
                                           {"in_c", l_in_c},
                                           {"thread_of", l_thread_of},
                                           {NULL, NULL}};

/* Words every script may use. */
static const char world_prelude[] =
    "core = debug.getregistry()['septet.core']\n"
    "function kind(e) return type(e) == 'table' and rawget(e, 'kind') or type(e) end\n"
    "function try(...) local ok, e = pcall(...) ; if ok then return 'ok' end return kind(e) end\n"
    "function closer(fn) return setmetatable({}, {__close = fn}) end\n"
    "function completions(ts)\n"
    "  local set = core.completions(#ts)\n"
    "  for _, t in ipairs(ts) do set:add(t) end\n"
    "  return set\n"
    "end\n"
    "function block(gathers, shield, seconds, fn)\n"
    "  local scope = core.scope(gathers, shield, seconds)\n"
    "  local ok, e = pcall(fn, scope)\n"
    "  if not ok then core.scope_fail(scope) elseif not gathers then core.scope_leave(scope) end\n"
    "  core.scope_join(scope)\n"
    "  local absorbed, source = core.scope_close(scope)\n"
    "  return ok, e, absorbed, source\n"
    "end\n";

/* --- the world of the scheduler --- */

static uint64_t world_now(void *ud)
{
    return ((struct world *)ud)->now;
}

static void world_wake(void *ud)
{
    ((struct world *)ud)->wakes++;
}

static void world_text(char (*texts)[256], unsigned *n, const char *text)
{
    if (*n < TEXTS)
        snprintf(texts[*n], sizeof texts[*n], "%s", text);
    ++*n;
}

static int world_error_text(lua_State *L)
{
    spt_task_push(L, lua_touserdata(L, 1));
    lua_getiuservalue(L, -1, SPT_TASK_UV_VALUE);
    if (lua_istable(L, -1))
        lua_getfield(L, -1, "message");
    world_text(world.unhandled, &world.nunhandled, lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
    return 0;
}

static void world_unhandled(void *ud, struct spt_task *t)
{
    lua_State *L = world.s.main;
    if (world.on_unhandled) {
        world.on_unhandled(t);
        return;
    }
    if (t->state == SPT_TASK_CANCELLED) /* a main task: that is for the host to judge */
        return;
    lua_pushcfunction(L, world_error_text);
    lua_pushlightuserdata(L, t);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        world_text(world.unhandled, &world.nunhandled, "?");
    }
}

static void world_warn(void *ud, const char *message)
{
    world_text(world.warnings, &world.nwarnings, message);
}

static void assert_told(char (*texts)[256], unsigned *n, const char *part)
{
    if (*n == 0)
        fail_msg("nothing was told of '%s'", part);
    if (!strstr(texts[0], part))
        fail_msg("'%s' instead of '%s'", texts[0], part);
    memmove(texts, texts + 1, (TEXTS - 1) * sizeof *texts);
    --*n;
}

/* The oldest failure that was reported has this text in it. */
UNUSED static void assert_unhandled(const char *part)
{
    assert_told(world.unhandled, &world.nunhandled, part);
}

UNUSED static void assert_warned(const char *part)
{
    assert_told(world.warnings, &world.nwarnings, part);
}

/* What was logged since the last call. */
UNUSED static void assert_log(const char *expected)
{
    assert_string_equal(world.log, expected);
    world.log[0] = '\0';
}

/* --- running --- */

UNUSED static unsigned lap(void)
{
    world.s.draining = true;
    unsigned ran = spt_sched_run_pass(&world.s, ALL);
    world.s.draining = false;
    return ran;
}

/* Laps until nothing can run without the test. */
UNUSED static void run(void)
{
    long laps = 0;
    do {
        lap();
    } while (spt_sched_busy(&world.s) && ++laps < LAPS);
    if (laps == LAPS)
        fail_msg("the scheduler never rests");
}

/* Moves the clock, then runs. */
UNUSED static void advance(double seconds)
{
    world.now += (uint64_t)(seconds * 1e9);
    run();
}

struct main_spawn {
    const char *code;
    struct spt_task *task;
};

static int spawn_main_protected(lua_State *L)
{
    struct main_spawn *m = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, m->code, strlen(m->code), "@test.lua", "t") != LUA_OK)
        return lua_error(L);
    m->task = spt_task_spawn(L, &world.s.main_scope, NULL, 0);
    m->task->is_main = true;
    world.s.nmains++;
    return 0;
}

/* A main task of that code, not run yet. It lives at least until it ends; NULL out of memory. */
UNUSED static struct spt_task *spawn(const char *code)
{
    struct main_spawn m = {.code = code};
    lua_pushcfunction(world.L, spawn_main_protected);
    lua_pushlightuserdata(world.L, &m);
    if (lua_pcall(world.L, 1, 0, 0) != LUA_OK) {
        if (!world.failed)
            fail_msg("%s", lua_tostring(world.L, -1));
        lua_pop(world.L, 1);
        return NULL;
    }
    return m.task;
}

/* Spawns, and runs what can run. */
UNUSED static struct spt_task *start(const char *code)
{
    struct spt_task *t = spawn(code);
    run();
    return t;
}

/* Runs code on the main state, outside of tasks. */
UNUSED static void script(const char *code)
{
    if (luaL_dostring(world.L, code) != LUA_OK)
        fail_msg("%s", lua_tostring(world.L, -1));
    lua_settop(world.L, 0);
}

/* The task that a script keeps in a global. */
UNUSED static struct spt_task *task(const char *global)
{
    lua_getglobal(world.L, global);
    struct spt_task *t = luaL_testudata(world.L, -1, SPT_TASK_META);
    lua_pop(world.L, 1);
    if (!t)
        fail_msg("'%s' is no task", global);
    return t;
}

UNUSED static void cancel(const char *global, const char *reason)
{
    spt_scope_cancel(&task(global)->root, "cancel", reason);
}

UNUSED static bool same_records(const struct spt_rec *a, const struct spt_rec *b)
{
    return a->kind == b->kind && a->sub == b->sub && a->task == b->task && a->ref == b->ref;
}

/* --- before and after each test --- */

static int world_open(lua_State *L)
{
    const struct spt_hooks w = {.now = world_now,
                                .wake = world_wake,
                                .unhandled = world_unhandled,
                                .warn = world_warn,
                                .ud = &world};
    luaL_openlibs(L);
    world.env.sched = &world.s;
    spt_link_init(&world.env.sessions);
    spt_sched_init(&world.s, L, &w, 65536);
    spt_lib_open(L, &world.env);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, world_functions, 0);
    if (luaL_loadbuffer(L, world_prelude, sizeof world_prelude - 1, "@prelude.lua") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static int world_setup(void **state)
{
    memset(&world, 0, sizeof world);
    world.now = 1000 * SECOND;
    world.L = lua_newstate(world_alloc, &world);
    lua_pushcfunction(world.L, world_open);
    if (lua_pcall(world.L, 0, 0, 0) == LUA_OK)
        return 0;
    fprintf(stderr, "%s\n", lua_tostring(world.L, -1));
    return -1;
}

static unsigned left(bool bad, const char *what)
{
    if (bad)
        fprintf(stderr, "census: %s\n", what);
    return bad;
}

static unsigned census_of_fakes(void)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < world.nfakes; i++) {
        const struct fake *f = &world.fakes[i];
        bad += left(f->op != NULL, "a fake still waits");
        bad += left(f->type.close && f->closes != f->starts, "a fake was not closed once a start");
        bad += left(f->pushes + f->cancels > f->starts, "a fake was pushed and cancelled");
        bad += left(f->pushes + f->cancels < f->starts && !world.failed,
                    "a fake was neither pushed nor cancelled");
    }
    return bad;
}

static unsigned census(void)
{
    struct spt_sched *s = &world.s;
    unsigned bad = census_of_fakes();
    bad += left(s->live, "tasks live");
    bad += left(s->external, "operations wait for the world outside");
    bad += left(s->nmains, "main tasks are counted");
    bad += left(!spt_link_alone(&s->ready), "the ready queue is not empty");
    bad += left(!spt_link_alone(&s->deferred), "notes are left");
    bad += left(!spt_link_alone(&s->unhandled), "failures were not reported");
    bad += left(spt_timers_next(&s->timers) != SPT_NEVER, "timers are armed");
    bad += left(s->nfree != s->nanchors, "tasks are anchored");
    bad += left(!spt_link_alone(&s->main_scope.children), "the mains' scope has children");
    bad += left(s->main_scope.ntasks || s->background.ntasks, "scopes count tasks");
    bad += left(s->current, "a task is running");
    bad += left(lua_gettop(s->main), "values are on the main stack");
    bad += left(world.nunhandled, world.unhandled[0]);
    bad += left(world.nwarnings, world.warnings[0]);
    bad += left(world.wrong, world.wrong_at);
    return bad;
}

/* Unwinds what a failed test left. */
static void unwind(void)
{
    struct spt_sched *s = &world.s;
    s->shutting_down = s->draining = true;
    struct spt_link *head = &s->main_scope.children;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        spt_scope_cancel(SPT_OF(l, struct spt_scope, sibling), "shutdown", NULL);
    spt_scope_cancel(&s->background, "shutdown", NULL);
    for (long i = 0; i < LAPS && spt_sched_busy(s); i++)
        spt_sched_run_pass(s, ALL);
}

static int world_teardown(void **state)
{
    mend_memory();
    unsigned bad = census();
    if (world.s.live)
        unwind();
    spt_sched_release(&world.s);
    lua_close(world.L);
    bad += left(world.blocks != 0, "Lua memory is left");
    return bad ? -1 : 0;
}

/* --- out of memory, everywhere --- */

/* A program that is to leave the world consistent, whichever allocation fails. */
struct sweep {
    const char *code;
    void (*prepare)(
        void);      /* called in a new world, while there is memory; NULL: nothing to prepare */
    int steps;      /* how often the clock moves, without memory and again with it */
    double seconds; /* ... and how far each time */
    void (*check)(long n,
                  bool failed); /* called behind the program: did the `n`th allocation fail? */
};

/* Runs the program in a world of its own, in which the `n`th allocation and `in_a_row - 1` more
 * fail. Returns true if the program asks for so many. */
static bool survives(const struct sweep *sweep, long n, long in_a_row)
{
    assert_int_equal(world_setup(NULL), 0);
    if (sweep->prepare)
        sweep->prepare();
    fail_memory(n, in_a_row);
    spawn(sweep->code);
    for (int i = 0; i < sweep->steps; i++)
        advance(sweep->seconds);
    mend_memory();
    bool failed = world.failed > 0;
    for (int i = 0; i < sweep->steps; i++)
        advance(sweep->seconds);
    sweep->check(n, failed);
    world.nunhandled = world.nwarnings = 0;
    assert_int_equal(world_teardown(NULL), 0);
    return failed;
}

/* Runs the program once for each allocation that it asks for. */
UNUSED static void fail_each_allocation(const struct sweep *sweep, long in_a_row)
{
    long n = 1;
    while (survives(sweep, n, in_a_row))
        n++;
    assert_true(n > 50);
}

#endif
