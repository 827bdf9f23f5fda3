/* SPDX-License-Identifier: MIT */
/* The scheduler's hooks keep what is reported, and the allocator counts. */
#include "core/core.h"
#include "core/spawn.h"
#include "core/pass.h"
#include "support/sched_fixture.h"

#include <lualib.h>
#include <stdlib.h>

#include "lua/lib.h"

enum { LAPS = 1000000 }; /* more than any test needs: only a hang gets there */

struct sched_fixture fixture;

/* --- memory --- */

static void *memory_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct sched_fixture *f = ud;
    if (nsize == 0) {
        f->memory.blocks -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (!ptr || nsize > osize) {
        f->memory.allocations++;
        if (f->memory.fail_at && f->memory.allocations >= f->memory.fail_at &&
            f->memory.allocations - f->memory.fail_at < f->memory.fail_run) {
            f->memory.failed++;
            return NULL;
        }
    }
    void *p = realloc(ptr, nsize);
    f->memory.blocks += !ptr && p;
    return p;
}

void fail_memory(long n, long run)
{
    fixture.memory.fail_at = fixture.memory.allocations + n;
    fixture.memory.fail_run = run;
    fixture.memory.failed = 0;
}

void mend_memory(void)
{
    fixture.memory.fail_at = 0;
}

/* --- what the scheduler calls --- */

static uint64_t on_now(void *ud)
{
    return fixture.now;
}

static void on_wake(void *ud)
{
    fixture.wakes++;
}

static void texts_add(struct texts *texts, const char *text)
{
    if (texts->n < TEXTS)
        snprintf(texts->text[texts->n], sizeof texts->text[0], "%s", text);
    texts->n++;
}

static int l_note_failure(lua_State *L)
{
    spt_task_push(L, lua_touserdata(L, 1));
    lua_getiuservalue(L, -1, SPT_TASK_UV_VALUE);
    if (lua_istable(L, -1))
        lua_getfield(L, -1, "message");
    texts_add(&fixture.unhandled, lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
    return 0;
}

static void on_unhandled(void *ud, struct spt_task *t)
{
    lua_State *L = fixture.sched.main;
    if (fixture.on_unhandled) {
        fixture.on_unhandled(t);
        return;
    }
    if (t->state == SPT_TASK_CANCELLED) /* a main task: that is for the host to judge */
        return;
    lua_pushcfunction(L, l_note_failure);
    lua_pushlightuserdata(L, t);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        texts_add(&fixture.unhandled, "?");
    }
}

static bool on_busy(void *ud)
{
    return false;
}

static void on_warning(void *ud, const char *message)
{
    texts_add(&fixture.warnings, message);
}

static void assert_reported(struct texts *texts, const char *part)
{
    if (texts->n == 0)
        fail_msg("nothing was reported of '%s'", part);
    if (!strstr(texts->text[0], part))
        fail_msg("'%s' instead of '%s'", texts->text[0], part);
    memmove(texts->text, texts->text + 1, (TEXTS - 1) * sizeof texts->text[0]);
    texts->n--;
}

void assert_unhandled(const char *part)
{
    assert_reported(&fixture.unhandled, part);
}

void assert_warned(const char *part)
{
    assert_reported(&fixture.warnings, part);
}

/* --- running --- */

unsigned lap(void)
{
    fixture.sched.run.draining = true;
    unsigned ran = spt_pass_run(&fixture.sched, &(struct spt_pass_limit){.resumes = ALL});
    fixture.sched.run.draining = false;
    return ran;
}

void run(void)
{
    long laps = 0;
    do {
        lap();
    } while (spt_sched_busy(&fixture.sched) && ++laps < LAPS);
    if (laps == LAPS)
        fail_msg("the scheduler never rests");
}

void advance(double seconds)
{
    fixture.now += (uint64_t)(seconds * 1e9);
    run();
}

struct main_spawn {
    const char *code; /* or NULL, and */
    const char *path; /* a Lua file that returns a table, with */
    const char *name; /* a function of that name */
    struct spt_task *task;
};

static void push_main(lua_State *L, const struct main_spawn *m)
{
    int status = m->code ? luaL_loadbufferx(L, m->code, strlen(m->code), "@test.lua", "t")
                         : luaL_loadfilex(L, m->path, "t");
    if (status != LUA_OK)
        lua_error(L);
    if (m->code)
        return;
    lua_call(L, 0, 1);
    lua_getfield(L, -1, m->name);
    if (!lua_isfunction(L, -1))
        luaL_error(L, "no script '%s'", m->name);
}

static int l_spawn_main(lua_State *L)
{
    struct main_spawn *m = lua_touserdata(L, 1);
    push_main(L, m);
    m->task = spt_spawn_main(L, &fixture.sched, NULL, 0);
    return 0;
}

static struct spt_task *spawn_main(struct main_spawn m)
{
    lua_pushcfunction(fixture.L, l_spawn_main);
    lua_pushlightuserdata(fixture.L, &m);
    if (lua_pcall(fixture.L, 1, 0, 0) != LUA_OK) {
        if (!fixture.memory.failed)
            fail_msg("%s", lua_tostring(fixture.L, -1));
        lua_pop(fixture.L, 1);
        return NULL;
    }
    return m.task;
}

struct spt_task *spawn(const char *code)
{
    return spawn_main((struct main_spawn){.code = code});
}

struct spt_task *spawn_from(const char *path, const char *name)
{
    return spawn_main((struct main_spawn){.path = path, .name = name});
}

struct spt_task *start_from(const char *path, const char *name)
{
    struct spt_task *t = spawn_from(path, name);
    run();
    return t;
}

struct spt_task *start(const char *code)
{
    struct spt_task *t = spawn(code);
    run();
    return t;
}

struct spt_task *start_file(const char *path)
{
    return start(test_file_read(path));
}

void script(const char *code)
{
    if (luaL_dostring(fixture.L, code) != LUA_OK)
        fail_msg("%s", lua_tostring(fixture.L, -1));
    lua_settop(fixture.L, 0);
}

void set_integer(const char *global, long n)
{
    lua_pushinteger(fixture.L, n);
    lua_setglobal(fixture.L, global);
}

struct spt_task *task(const char *global)
{
    lua_getglobal(fixture.L, global);
    struct spt_task *t = luaL_testudata(fixture.L, -1, SPT_TASK_META);
    lua_pop(fixture.L, 1);
    if (!t)
        fail_msg("'%s' is no task", global);
    return t;
}

void cancel(const char *global, const char *reason)
{
    spt_scope_cancel(&task(global)->root, "cancel", reason);
}

void cancel_mains(void)
{
    struct spt_link *mains = &fixture.sched.tree.mains_lists.children;
    for (struct spt_link *l = mains->next; l != mains; l = l->next)
        spt_scope_cancel(SPT_OF(l, struct spt_scope, sibling), "shutdown", NULL);
}

/* --- before and after each test --- */

static int l_open(lua_State *L)
{
    const struct spt_hooks hooks = {.now = on_now,
                                    .wake = on_wake,
                                    .busy = on_busy,
                                    .unhandled = on_unhandled,
                                    .warn = on_warning};
    luaL_openlibs(L);
    fixture.env.sched = &fixture.sched;
    spt_link_init(&fixture.env.resources);
    spt_core_open(&fixture.sched, L, &hooks, 65536);
    spt_lib_open(L, &fixture.env);
    script_words_open(L);
    return 0;
}

int sched_fixture_setup(void **state)
{
    memset(&fixture, 0, sizeof fixture);
    fakes_reset();
    clear_log();
    fixture.now = 1000 * SECOND;
    fixture.L = lua_newstate(memory_alloc, &fixture);
    lua_pushcfunction(fixture.L, l_open);
    if (lua_pcall(fixture.L, 0, 0, 0) == LUA_OK)
        return 0;
    fprintf(stderr, "%s\n", lua_tostring(fixture.L, -1));
    return -1;
}

static unsigned left(bool bad, const char *what)
{
    if (bad)
        fprintf(stderr, "census: %s\n", what);
    return bad;
}

static unsigned census(void)
{
    struct spt_sched *s = &fixture.sched;
    unsigned bad = fakes_census(fixture.memory.failed > 0);
    bad += left(s->counts.live, "tasks live");
    bad += left(s->counts.external, "operations wait for the world outside");
    bad += left(s->counts.mains, "main tasks are counted");
    bad += left(!spt_list_is_empty(&s->queues.ready), "the ready queue is not empty");
    bad += left(!spt_list_is_empty(&s->queues.deferred), "deferred callbacks are left");
    bad += left(!spt_list_is_empty(&s->tree.unhandled), "failures were not reported");
    bad += left(spt_timer_next(&s->tree.timers) != SPT_NEVER, "timers are armed");
    bad += left(s->anchors.nfree != s->anchors.n, "tasks are anchored");
    bad += left(!spt_list_is_empty(&s->tree.mains_lists.children), "the mains' scope has children");
    bad += left(s->tree.mains.tasks.live || s->tree.background.tasks.live, "scopes count tasks");
    bad += left(s->current, "a task is running");
    bad += left(lua_gettop(s->main), "values are on the main stack");
    bad += left(fixture.unhandled.n, fixture.unhandled.text[0]);
    bad += left(fixture.warnings.n, fixture.warnings.text[0]);
    return bad;
}

/* Unwinds what a failed test left. */
static void unwind(void)
{
    struct spt_sched *s = &fixture.sched;
    s->run.shutting_down = s->run.draining = true;
    cancel_mains();
    spt_scope_cancel(&s->tree.background, "shutdown", NULL);
    for (long i = 0; i < LAPS && spt_sched_busy(s); i++)
        spt_pass_run(s, &(struct spt_pass_limit){.resumes = ALL});
}

int sched_fixture_teardown(void **state)
{
    mend_memory();
    unsigned bad = census();
    if (fixture.sched.counts.live)
        unwind();
    spt_core_release(&fixture.sched);
    lua_close(fixture.L);
    bad += left(fixture.memory.blocks != 0, "Lua memory is left");
    return bad ? -1 : 0;
}

/* --- out of memory, everywhere --- */

/* Runs the program in a scheduler of its own, in which the `n`th allocation and `in_a_row - 1` more
 * fail. Returns true if the program asks for so many. */
static bool survives(const struct sweep *sweep, const char *code, long n, long in_a_row)
{
    assert_int_equal(sched_fixture_setup(NULL), 0);
    if (sweep->prepare)
        sweep->prepare();
    fail_memory(n, in_a_row);
    spawn(code);
    for (int i = 0; i < sweep->steps; i++)
        advance(sweep->seconds);
    mend_memory();
    bool failed = fixture.memory.failed > 0;
    for (int i = 0; i < sweep->steps; i++)
        advance(sweep->seconds);
    sweep->check(n, failed);
    fixture.unhandled.n = fixture.warnings.n = 0;
    assert_int_equal(sched_fixture_teardown(NULL), 0);
    return failed;
}

void fail_each_allocation(const struct sweep *sweep, long in_a_row)
{
    long n = 1;
    const char *code = test_file_read(sweep->file);
    while (survives(sweep, code, n, in_a_row))
        n++;
    assert_true(n > 50);
}
