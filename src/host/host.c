/* The host: puts the layers together and is the public API. The only file that knows them all. */
#include "septet/septet.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "core/check.h"
#include "core/deadlock.h"
#include "core/error.h"
#include "core/frames.h"
#include "core/hook.h"
#include "core/op.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/traceback.h"
#include "http/curl_driver.h"
#include "loop/loop.h"
#include "lua/lib.h"
#include "op/env.h"
#include "septet/op.h"

#define DEADLOCKS_MAX  100 /* broken one by one in a run, before every wait is refused */
#define DEADLOCK_NS    (60 * UINT64_C(1000000000)) /* ... or so long after the first of them */
#define DEADLOCK_TASKS 100000                      /* ... or so many tasks after it */
#define TURN_RESUMES   64                          /* tasks run between two looks at the poller */
#define TURN_NS        100000                      /* ... or this long */
#define HOOK_COUNT     100000 /* instructions between two looks at the time, where turns are limited */
#define REPORTED_MAX   100    /* tasks that a report of a deadlock names */

/* What Lua functions point to: it lives in the Lua state, which may outlive the host. */
struct core {
    struct spt_env env;
    struct spt_sched sched;
};

struct septet_host {
    septet_config config;
    lua_State *L; /* owned unless config.lua */
    struct core *core;
    struct spt_loop *loop;
    struct spt_driver *driver;
    uint32_t failures;               /* errors that reached nobody, ever */
    bool running;                    /* inside septet_run */
    bool turning;                    /* inside a turn of the loop that septet_run or _step made */
    bool deadlocked;                 /* seen by the drain of septet_run */
    bool more;                       /* the last drain stopped at its budget, with work left */
    uint64_t deadlock_ns;            /* when the first of this run was */
    uint32_t deadlock_id;            /* of the last task that had been spawned then */
    volatile sig_atomic_t interrupt; /* septet_interrupt was called */
    bool interrupted;                /* ... and acted upon */
    bool ending;                     /* main tasks were cancelled by the host: that is no failure */
    uint32_t slice_task, slice_turn; /* whose turn on_slice saw last */
    uint64_t slice_ns;               /* ... and since when */
};

const char *septet_version(void)
{
    return SEPTET_VERSION;
}

void septet_config_init(septet_config *config)
{
    *config = (septet_config){.size = sizeof *config, .trace_records = 65536, .slow_ms = 100};
}

static struct spt_sched *sched_of(const septet_host *h)
{
    return &h->core->sched;
}

septet_host *septet_host_of(lua_State *L)
{
    struct spt_sched *s = spt_sched_of(L);
    return s ? s->hooks.ud : NULL;
}

lua_State *septet_lua(septet_host *host)
{
    return host->L;
}

void *septet_loop(septet_host *host)
{
    return spt_loop_uv(host->loop);
}

void *septet_userdata(septet_host *host)
{
    return host->config.ud;
}

size_t septet_tasks(const septet_host *host)
{
    return sched_of(host)->live;
}

/* --- telling the embedder --- */

static void warn(void *ud, const char *message)
{
    septet_host *h = ud;
    if (h->config.on_warning)
        h->config.on_warning(h->config.ud, message);
}

static void felt(void *ud)
{
    septet_host *h = ud;
    if (h->config.on_interrupted)
        h->config.on_interrupted(h->config.ud);
}

/* Lua's own warn: pieces, and control messages that begin with '@'. */
struct warning {
    septet_host *host;
    bool on;
    size_t len;
    char text[1024];
};

static void on_lua_warning(void *ud, const char *piece, int to_continue)
{
    struct warning *w = ud;
    if (w->len == 0 && !to_continue && *piece == '@') {
        if (strcmp(piece, "@on") == 0)
            w->on = true;
        else if (strcmp(piece, "@off") == 0)
            w->on = false;
        return;
    }
    w->len += (size_t)snprintf(w->text + w->len, sizeof w->text - w->len, "%s", piece);
    if (w->len >= sizeof w->text)
        w->len = sizeof w->text - 1;
    if (to_continue)
        return;
    w->len = 0;
    if (w->on)
        warn(w->host, w->text);
}

static void tell_error(septet_host *h, const septet_error *error)
{
    if (h->config.on_error)
        h->config.on_error(h->config.ud, error);
}

static const char *kind_of(lua_State *L, int index)
{
    if (!spt_error_is(L, index, NULL))
        return "error";
    lua_getfield(L, index, "kind");
    const char *kind = lua_tostring(L, -1);
    lua_pop(L, 1); /* the error keeps it */
    return kind ? kind : "error";
}

/* Pushes task.on_unhandled, if a script has set it. */
static bool push_hook(lua_State *L)
{
    int top = lua_gettop(L);
    if (luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE) &&
        lua_getfield(L, -1, "septet.task") == LUA_TTABLE &&
        lua_getfield(L, -1, "on_unhandled") == LUA_TFUNCTION) {
        lua_replace(L, top + 1);
        lua_settop(L, top + 1);
        return true;
    }
    lua_settop(L, top);
    return false;
}

/* Warns that what a script had set failed; pops its error. */
static void warn_failed(septet_host *h, lua_State *L, const char *what)
{
    warn(h, lua_pushfstring(L, "%s failed: %s", what, spt_error_push_words(L, -1)));
    lua_pop(L, 3);
}

/* Calls task.on_unhandled(task, error, traceback). Returns false if it was not told. */
static bool tell_script(septet_host *h, lua_State *L)
{
    // stack: task, error, traceback
    if (!push_hook(L))
        return false;
    for (int i = 1; i <= 3; i++)
        lua_pushvalue(L, i);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK || spt_error_is(L, -1, "Cancelled"))
        return true; /* told, or the run was ended there */
    warn_failed(h, L, "task.on_unhandled");
    return false;
}

static int report(lua_State *L)
{
    struct spt_task *t = lua_touserdata(L, 1);
    septet_host *h = t->sched->hooks.ud;
    char name[128];
    spt_task_name(t, name, sizeof name);
    lua_settop(L, 0);
    spt_task_push(L, t);
    lua_getiuservalue(L, 1, SPT_TASK_UV_VALUE);
    if (lua_getiuservalue(L, 1, SPT_TASK_UV_TRACEBACK) != LUA_TNIL)
        spt_traceback_render(L);
    if (!t->is_main && tell_script(h, L))
        return 0;
    const char *message = t->abandoned ? "abandoned: it absorbed its cancellation at shutdown"
                                       : spt_error_push_words(L, 2);
    const char *traceback = lua_isstring(L, 3) ? lua_tostring(L, 3) : "";
    if (!t->secondary_failure)
        h->failures++;
    tell_error(h, &(septet_error){.kind = kind_of(L, 2),
                                  .message = message,
                                  .traceback = traceback,
                                  .task = name,
                                  .task_id = t->id,
                                  .is_main = t->is_main});
    return 0;
}

/* Where memory ran out while an error was reported, it is reported in the words that are there. */
static void report_plainly(septet_host *h, struct spt_task *t)
{
    char name[128];
    const char *message = lua_tostring(h->L, -1);
    spt_task_name(t, name, sizeof name);
    if (!t->secondary_failure)
        h->failures++;
    tell_error(h,
               &(septet_error){.kind = "error",
                               .message = message ? message : "an error while reporting an error",
                               .traceback = "",
                               .task = name,
                               .task_id = t->id,
                               .is_main = t->is_main});
}

static void on_unhandled(void *ud, struct spt_task *t)
{
    septet_host *h = ud;
    if (t->state == SPT_TASK_CANCELLED && h->ending)
        return;
    lua_pushcfunction(h->L, report);
    lua_pushlightuserdata(h->L, t);
    if (lua_pcall(h->L, 1, 0, 0) == LUA_OK)
        return;
    report_plainly(h, t);
    lua_pop(h->L, 1);
}

/* --- the drain: what runs once a turn --- */

static void cancel_children(struct spt_scope *scope, const char *source, const char *reason)
{
    struct spt_link *head = &scope->children;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        spt_scope_cancel(SPT_OF(l, struct spt_scope, sibling), source, reason);
}

static void act_on_interrupt(septet_host *h)
{
    h->interrupt = 0;
    h->interrupted = h->ending = true;
    cancel_children(&sched_of(h)->main_scope, "shutdown", "interrupted");
}

/* Returns true if a turn's budget is used up. It is measured on the clock of the scripts: a turn ends where a virtual
 * clock moves on, and not by how fast the machine is, so that the same script runs in the same order. What is left is
 * work for the next turn (`more`). */
static bool budget_exhausted(const septet_host *h, unsigned ran, uint64_t t0_ns)
{
    return ran >= TURN_RESUMES || sched_of(h)->now_ns - t0_ns >= TURN_NS;
}

static uint64_t next_instant(septet_host *h)
{
    struct spt_sched *s = sched_of(h);
    bool over =
        h->running && s->live == 0; /* what ended it may be the drain before the turn's poll */
    if (h->more || over || h->deadlocked || h->interrupt)
        return SPT_LOOP_NOW;
    uint64_t due = spt_timers_next(&s->timers), curl = spt_driver_due(h->driver);
    return curl < due ? curl : due;
}

/* Moves a virtual clock to the next deadline where nothing else could run a task. Returns whether a timer is due. */
static bool reach_deadline(septet_host *h)
{
    struct spt_sched *s = sched_of(h);
    const struct spt_env *env = &h->core->env;
    uint64_t due_ns = spt_timers_next(&s->timers);
    if (!env->is_virtual || due_ns == SPT_NEVER)
        return false;
    if (!env->manual && spt_sched_idle(s))
        spt_loop_clock_advance(h->loop, due_ns);
    return due_ns <= spt_sched_clock(s);
}

/* Returns whether a lap would find something to do at once: the one list of what can still run. */
static bool has_more(septet_host *h)
{
    struct spt_sched *s = sched_of(h);
    return spt_driver_drain(h->driver) || spt_sched_busy(s) || spt_sched_notify_idle(s) ||
           reach_deadline(h);
}

/* Returns whether nothing could ever run a task, once a lap would find nothing to do. A manual clock does not reach its
 * deadlines by itself, and no virtual one ends a sleep for ever. */
static bool is_deadlocked(const septet_host *h)
{
    const struct spt_sched *s = sched_of(h);
    const struct spt_env *env = &h->core->env;
    bool clock_stopped =
        env->is_virtual && (env->manual || spt_timers_next(&s->timers) == SPT_NEVER);
    return spt_sched_deadlocked(s) || (clock_stopped && spt_sched_idle(s));
}

/* Laps until nothing is new or the turn's budget is budget_exhausted; then says when it wants to run again. */
static uint64_t drain(void *ud)
{
    septet_host *h = ud;
    struct spt_sched *s = sched_of(h);
    unsigned ran = 0;
    s->draining = h->more = true;
    if (h->interrupt)
        act_on_interrupt(h);
    s->now_ns = spt_sched_clock(s);
    for (uint64_t t0_ns = s->now_ns; h->more && !budget_exhausted(h, ran, t0_ns);) {
        unsigned room = TURN_RESUMES - ran, n = spt_sched_run_pass(s, room);
        if (n < room && h->interrupted && !h->interrupt) /* all that it made ready has run */
            spt_sched_felt(s);
        ran += n;
        h->more = has_more(h);
    }
    spt_trace_flush(&h->core->env);
    s->draining = false;
    h->more |= spt_sched_busy(s);
    h->deadlocked = h->running && !h->more && is_deadlocked(h);
    spt_loop_clock_run(h->loop, s->external > 0);
    return next_instant(h);
}

static uint64_t world_now(void *ud)
{
    return spt_loop_now(((septet_host *)ud)->loop);
}

static void world_wake(void *ud)
{
    septet_host *h = ud;
    spt_loop_wake(h->loop);
}

/* --- the limit on a turn --- */

/* Sets a hook in all the coroutines that run in a turn of `t`. */
static void hook_each(const struct spt_task *t, lua_Hook hook, int mask)
{
    lua_sethook(t->co, hook, mask, 1);
    for (const struct spt_frame *f = t->frame; f; f = f->up)
        lua_sethook(f->co, hook, mask, 1);
}

/* Called in a task's coroutine each HOOK_COUNT instructions, or at each event of a script's hook. Once a turn is over its
 * limit, at each one, in all the coroutines that run in it: a loop that catches the error is left at its next
 * instruction. */
static void on_slice(lua_State *L, lua_Debug *ar)
{
    septet_host *h = septet_host_of(L);
    const struct spt_task *t = h ? sched_of(h)->current : NULL;
    uint64_t now_ns = uv_hrtime();
    if (!t)
        return;
    if (h->slice_task != t->id || h->slice_turn != t->resumes) {
        h->slice_task = t->id;
        h->slice_turn = t->resumes;
        h->slice_ns = now_ns;
    }
    if (now_ns - h->slice_ns < h->config.max_slice_ms * UINT64_C(1000000)) {
        if (lua_gethook(L) == on_slice &&
            lua_gethookcount(L) == 1) /* an earlier turn was over it */
            spt_hook_restore(L, sched_of(h));
        return;
    }
    hook_each(t, on_slice, LUA_MASKCOUNT);
    spt_error_push(L, "TaskHog", "the task ran for more than %f s without waiting",
                   h->config.max_slice_ms / 1e3);
    lua_error(L);
}

/* --- birth --- */

static void interrupt_hook(lua_State *L, lua_Debug *ar);

static const char core_key = 0; /* its address keeps the core in the registry */

static int open_core(lua_State *L)
{
    septet_host *h = lua_touserdata(L, 1);
    const struct spt_hooks world = {.now = world_now,
                                    .wake = world_wake,
                                    .unhandled = on_unhandled,
                                    .warn = warn,
                                    .felt = felt,
                                    .ud = h};
    if (spt_sched_of(L))
        return luaL_error(L, "the state has a host already");
    struct core *core = lua_newuserdatauv(L, sizeof *core, 2);
    memset(core, 0, sizeof *core);
    lua_rawgetp(L, LUA_REGISTRYINDEX,
                &core_key); /* an earlier host's: functions of its time live on */
    lua_setiuservalue(L, -2, 1);
    core->env.quirk_changes = lua_pushstring(L, h->config.quirks);
    lua_setiuservalue(L, -2, 2);
    core->env.lua_path = h->config.lua_path;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &core_key);
    core->env.sched = &core->sched;
    core->env.loop = h->loop;
    core->env.is_virtual = h->config.clock != SEPTET_CLOCK_REAL;
    core->env.manual = h->config.clock == SEPTET_CLOCK_MANUAL;
    h->core = core;
    spt_sched_init(&core->sched, L, &world, h->config.trace_records);
    core->sched.shuffle = h->config.shuffle_seed;
    core->sched.own_frames = h->config.own_frames != 0;
    core->sched.slow_ns = h->config.slow_ms * UINT64_C(1000000);
    if (h->config.max_slice_ms) {
        core->sched.hook = on_slice;
        core->sched.hook_count = HOOK_COUNT;
    }
    core->sched.urgent_hook = interrupt_hook;
    core->sched.urgent = &h->interrupt;
    spt_lib_open(L, &core->env);
    core->env.lua_path = NULL;
    return 0;
}

static int open_own(lua_State *L)
{
    septet_host *h = lua_touserdata(L, 1);
    luaL_openlibs(L);
    struct warning *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct warning){.host = h};
    luaL_ref(L, LUA_REGISTRYINDEX);
    lua_setwarnf(L, on_lua_warning, w);
    return 0;
}

/* Runs `fn` with the host as its argument, protected. */
static int protected(septet_host *h, lua_CFunction fn)
{
    if (!lua_checkstack(h->L, 4))
        return SEPTET_ENOMEM;
    lua_pushcfunction(h->L, fn);
    lua_pushlightuserdata(h->L, h);
    if (lua_pcall(h->L, 1, 0, 0) == LUA_OK)
        return SEPTET_OK;
    bool memory = lua_type(h->L, -1) == LUA_TSTRING &&
                  strcmp(lua_tostring(h->L, -1), "not enough memory") == 0;
    lua_pop(h->L, 1);
    return memory ? SEPTET_ENOMEM : SEPTET_EINVAL;
}

/* Where a panic would be: every call of ours is protected, so this is a bug; the process ends as Lua's
 * default has it, after the embedder was told. */
static int on_panic(lua_State *L)
{
    septet_host *h = septet_host_of(L);
    if (h)
        warn(h, "internal error: a Lua error outside protection");
    return 0;
}

static int open_lua(septet_host *h)
{
    if (h->config.lua) {
        h->L = h->config.lua;
        return SEPTET_OK;
    }
    h->L = h->config.alloc ? lua_newstate(h->config.alloc, h->config.alloc_ud) : luaL_newstate();
    if (!h->L)
        return SEPTET_ENOMEM;
    lua_atpanic(h->L, on_panic);
    return protected(h, open_own);
}

static int host_open(septet_host *h)
{
    if (h->config.clock < SEPTET_CLOCK_REAL || h->config.clock > SEPTET_CLOCK_MANUAL)
        return SEPTET_EINVAL;
    int rc = open_lua(h);
    if (rc == SEPTET_OK)
        rc = spt_loop_new(&h->loop, h->config.loop, drain, h);
    if (rc == SEPTET_OK && h->config.clock != SEPTET_CLOCK_REAL)
        spt_loop_make_virtual(h->loop);
    if (rc == SEPTET_OK)
        rc = protected(h, open_core);
    if (rc == SEPTET_OK)
        rc = spt_driver_new(&h->driver, h->loop, &sched_of(h)->timers);
    if (rc == SEPTET_OK) {
        h->core->env.driver = h->driver;
        spt_driver_change_quirks(h->driver, h->core->env.quirk_changes);
    }
    h->config.lua_path = h->config.quirks =
        NULL; /* the embedder's: what is used later was copied */
    return rc;
}

static int host_close(septet_host *h)
{
    int rc = SEPTET_OK;
    if (h->driver) {
        spt_http_release(&h->core->env);
        spt_io_release(&h->core->env);
        spt_file_release(&h->core->env);
        spt_driver_free(h->driver);
        h->core->env.driver = NULL;
    }
    if (h->core) {
        spt_sched_release(sched_of(h));
        h->core->env.loop = NULL;
    }
    if (h->L && !h->config.lua)
        lua_close(h->L);
    if (h->loop)
        rc = spt_loop_free(h->loop);
    free(h);
    return rc;
}

septet_host *septet_new(const septet_config *config, int *status)
{
    int rc =
        !config || config->size < offsetof(septet_config, loop) ? SEPTET_EINVAL : SEPTET_ENOMEM;
    septet_host *h = rc == SEPTET_EINVAL ? NULL : calloc(1, sizeof *h);
    if (h) {
        size_t size = config->size < sizeof *config ? config->size : sizeof *config;
        septet_config_init(&h->config);
        memcpy(&h->config, config, size); /* an older embedder's is shorter */
        rc = host_open(h);
        if (rc != SEPTET_OK) {
            host_close(h);
            h = NULL;
        }
    }
    if (status)
        *status = rc;
    return h;
}

/* --- end --- */

static bool inside(const septet_host *h)
{
    return sched_of(h)->draining || h->turning;
}

/* Unwinds every task: each wait raises, nothing new is waited for. */
static void unwind(septet_host *h)
{
    struct spt_sched *s = sched_of(h);
    s->draining = true;
    spt_sched_unwind(s);
    spt_trace_flush(&h->core->env);
    s->draining = false;
    if (s->live > 0)
        warn(h, "tasks were left when the host ended");
}

int septet_free(septet_host *host)
{
    if (!host)
        return SEPTET_OK;
    if (inside(host))
        return SEPTET_EBUSY;
    unwind(host);
    return host_close(host);
}

/* --- loading and running --- */

struct spawn {
    septet_host *host;
    const char *name;
    int nargs;
};

static int spawn_protected(lua_State *L)
{
    // stack: fn, arguments..., the spawn
    struct spawn *spawn = lua_touserdata(L, -1);
    struct spt_sched *s = sched_of(spawn->host);
    spt_check_callable(L, 1);
    lua_pushstring(L, spawn->name); /* nothing may fail once the task is there */
    lua_replace(L, -2);
    lua_insert(L, 1); // stack: name, fn, arguments...
    struct spt_task *t = spt_task_spawn(L, &s->main_scope, NULL, spawn->nargs);
    t->is_main = true;
    s->nmains++;
    if (!spawn->name)
        return 0;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, SPT_TASK_UV_NAME);
    spt_trace_put(&s->trace, (struct spt_rec){
                                 .t = s->now_ns,
                                 .task = t->id,
                                 .kind = SPT_REC_NAME,
                                 .a = spt_trace_text(&s->trace, spawn->name, strlen(spawn->name))});
    return 0;
}

int septet_spawn(septet_host *host, const char *name, int nargs)
{
    struct spawn spawn = {.host = host, .name = name, .nargs = nargs};
    if (nargs < 0 || lua_gettop(host->L) <= nargs)
        return SEPTET_EINVAL;
    if (!lua_checkstack(host->L, 4))
        return SEPTET_ENOMEM;
    lua_pushcfunction(host->L, spawn_protected);
    lua_insert(host->L, -(nargs + 2));
    lua_pushlightuserdata(host->L, &spawn);
    int status = lua_pcall(host->L, nargs + 2, 0, 0);
    if (status == LUA_OK)
        return SEPTET_OK;
    lua_pop(host->L, 1);
    return status == LUA_ERRMEM ? SEPTET_ENOMEM : SEPTET_EINVAL;
}

/* Spawns the chunk that was loaded with `status`, or tells why it could not be. */
static int spawn_loaded(septet_host *h, int status)
{
    if (status == LUA_OK)
        return septet_spawn(h, "main", 0);
    const char *message = lua_tostring(h->L, -1);
    tell_error(h, &(septet_error){.kind = "error",
                                  .message = message ? message : "cannot load",
                                  .traceback = "",
                                  .task = "",
                                  .is_main = 1});
    lua_pop(h->L, 1);
    return status == LUA_ERRMEM ? SEPTET_ENOMEM : SEPTET_ELOAD;
}

int septet_load_string(septet_host *host, const char *chunkname, const char *source)
{
    return spawn_loaded(host, luaL_loadbufferx(host->L, source, strlen(source), chunkname, "t"));
}

int septet_load_file(septet_host *host, const char *path)
{
    return spawn_loaded(host, luaL_loadfilex(host->L, path, "t"));
}

/* --- deadlock --- */

static void warn_task(septet_host *h, const struct spt_task *t)
{
    char name[128], what[512], line[1024], at[128] = "";
    lua_Debug ar;
    spt_task_name(t, name, sizeof name);
    spt_task_waits_for(t, what, sizeof what);
    for (int level = 0; t->co && lua_getstack(t->co, level, &ar); level++) {
        lua_getinfo(t->co, "Sl", &ar);
        if (spt_is_script(&ar)) {
            snprintf(at, sizeof at, "  %s:%d", ar.short_src, ar.currentline);
            break;
        }
    }
    int n = snprintf(line, sizeof line, "#%u %s  waits for %s%s", t->id, name, what, at);
    char shown[4 * sizeof line + 1];
    spt_escape(shown, sizeof shown, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    warn(h, shown);
}

static unsigned warn_tasks(septet_host *h, struct spt_scope *top, unsigned told)
{
    for (struct spt_scope *s = top; s && told < REPORTED_MAX; s = spt_scope_next(top, s, true)) {
        if (!s->task || s != &s->task->root)
            continue;
        warn_task(h, s->task);
        told++;
    }
    return told;
}

/* "in a circle: 'a' -> 'b' -> 'a'" */
static void warn_circle(septet_host *h)
{
    struct spt_task *tasks[16];
    char line[4096], name[128];
    uint32_t all = spt_deadlock_cycle(sched_of(h), tasks, 16);
    uint32_t n = all < 16 ? all : 16;
    if (n == 0)
        return;
    int at = snprintf(line, sizeof line, "in a circle:");
    for (uint32_t i = 0; i < n; i++) {
        spt_task_name(tasks[i], name, sizeof name);
        at += snprintf(line + at, sizeof line - (size_t)at, " '%s' ->", name);
    }
    spt_task_name(tasks[0], name, sizeof name);
    snprintf(line + at, sizeof line - (size_t)at, "%s '%s'", all > n ? " ... ->" : "", name);
    warn(h, line);
}

static void report_deadlock(septet_host *h)
{
    struct spt_sched *s = sched_of(h);
    char line[64];
    if (s->live == 1)
        snprintf(line, sizeof line, "deadlock: the only task waits and nothing can wake it");
    else
        snprintf(line, sizeof line, "deadlock: all %u tasks wait and nothing can wake them",
                 s->live);
    warn(h, line);
    unsigned told = warn_tasks(h, &s->background, warn_tasks(h, &s->main_scope, 0));
    if (told < s->live) {
        snprintf(line, sizeof line, "... and %u more", s->live - told);
        warn(h, line);
    }
    warn_circle(h);
}

/* Cancels all tasks; those that a shield kept waiting the next time; and in the end, those that begin to wait again each
 * time, or go on for too long, for good: a run that told of a deadlock always ends. */
static void break_deadlock(septet_host *h, unsigned times)
{
    struct spt_sched *s = sched_of(h);
    s->draining = true; /* who is warned may not run the host */
    h->ending = s->giving_up = true;
    if (times == 1) {
        h->deadlock_ns = spt_sched_clock(s);
        h->deadlock_id = s->next_id;
        report_deadlock(h);
        cancel_children(&s->main_scope, "shutdown", "deadlock");
        cancel_children(&s->background, "shutdown", "deadlock");
    } else {
        s->shutting_down = times > DEADLOCKS_MAX;
        spt_sched_abort(s);
    }
    s->draining = false;
}

/* Returns true if the run goes on for too long after its first deadlock: in a shield that never ends, say, or by tasks
 * that spawn others when they are cancelled. */
static bool outstays(const septet_host *h)
{
    struct spt_sched *s = sched_of(h);
    return spt_sched_clock(s) - h->deadlock_ns > DEADLOCK_NS ||
           s->next_id - h->deadlock_id > DEADLOCK_TASKS;
}

/* Collects garbage, which may wake a task: a channel is closed with its last sender. Returns true if it did. */
static bool wakes_by_collection(septet_host *h)
{
    struct spt_sched *s = sched_of(h);
    s->draining = true; /* what a finalizer calls may not run the host */
    lua_gc(h->L, LUA_GCCOLLECT);
    s->draining = false;
    if (!spt_sched_busy(s))
        return false;
    spt_loop_wake(h->loop);
    return true;
}

static void turn(septet_host *h, bool wait)
{
    h->turning = true;
    spt_loop_run_once(h->loop, wait);
    h->turning = false;
}

int septet_run(septet_host *host)
{
    struct spt_sched *s = sched_of(host);
    if (inside(host) || host->running)
        return SEPTET_EBUSY;
    uint32_t failures = host->failures, cancelled_mains = s->cancelled_mains;
    unsigned deadlocks = 0;
    host->running = true;
    host->interrupted = host->ending = false;
    while (s->live > 0 || spt_sched_busy(s)) {
        turn(host, true);
        if (host->deadlocked && deadlocks == 0 && wakes_by_collection(host))
            continue;
        if (host->deadlocked)
            break_deadlock(host, ++deadlocks);
        else if (deadlocks > 0 && outstays(host))
            break_deadlock(host, deadlocks = DEADLOCKS_MAX + 1);
    }
    host->running = s->exiting = s->shutting_down = s->giving_up = false;
    s->unfelt = 0;
    s->draining = true;
    spt_trace_flush(&host->core->env);
    s->draining = false;
    if (deadlocks > 0)
        return SEPTET_EDEADLOCK;
    if (host->interrupted && s->cancelled_mains != cancelled_mains)
        return SEPTET_EINTERRUPTED;
    return host->failures != failures ? SEPTET_ESCRIPT : SEPTET_OK;
}

int septet_step(septet_host *host, uint64_t budget_us)
{
    struct spt_sched *s = sched_of(host);
    if (inside(host))
        return SEPTET_EBUSY;
    uint64_t t0 = uv_hrtime();
    do {
        turn(host, false);
    } while (host->more && uv_hrtime() - t0 < budget_us * 1000);
    if (s->live == 0 && s->exiting)
        s->exiting = s->giving_up = false;
    return s->live > 0;
}

int septet_advance(septet_host *host, uint64_t ns)
{
    if (inside(host))
        return SEPTET_EBUSY;
    if (!host->core->env.is_virtual)
        return SEPTET_EINVAL;
    uint64_t to_ns = spt_instant(spt_loop_now(host->loop), ns);
    if (to_ns == SPT_NEVER)
        return SEPTET_EINVAL;
    spt_loop_clock_advance(host->loop, to_ns);
    return SEPTET_OK;
}

/* --- interruption --- */

/* Raises what ends the running code: in a task's own code the error of its cancellation. */
static int raise_end(lua_State *L, const struct spt_task *t)
{
    spt_error_push_cancelled(L, t ? spt_scope_canceller(t->scope) : NULL);
    return lua_error(L);
}

/* Runs in the Lua code that was interrupted: what nothing else would reach, if it spins. Our modules go on until they
 * call a script's function or return to one. A shield is not reached, and what spins in it feels nothing. */
static void interrupt_hook(lua_State *L, lua_Debug *ar)
{
    septet_host *h = septet_host_of(L);
    struct spt_sched *s = sched_of(h);
    struct spt_task *t = s->current;
    if (h->interrupt && t && spt_frames_own(L)) {
        hook_each(t, interrupt_hook, SPT_HOOK_EVERYTHING);
        return;
    }
    spt_hook_restore(L, s);
    if (!h->interrupt) /* the drain was first, or the hook was inherited */
        return;
    act_on_interrupt(h);
    if (t) { /* else it is a trace hook, say: all that runs between tasks is protected */
        spt_scope_cancel(&t->root, "shutdown",
                         "interrupted"); /* a background task that spins, too */
        if (!spt_scope_canceller(t->scope))
            return;
        spt_sched_felt(s);
    }
    raise_end(L, t);
}

void septet_interrupt(septet_host *host)
{
    struct spt_sched *s = sched_of(host);
    lua_State *L = s->current ? spt_innermost(s) : s->draining ? host->L : NULL;
    s->unfelt = host->interrupt = 1;
    spt_loop_wake_async(host->loop);
    if (L)
        lua_sethook(L, interrupt_hook, SPT_HOOK_EVERYTHING, 1);
}

/* Returns true in a finalizer, whose errors go nowhere. */
static bool in_finalizer(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++)
        if (lua_getinfo(L, "n", &ar) && ar.name && strcmp(ar.name, "__gc") == 0)
            return true;
    return false;
}

/* Cancels each scope of a task, so that its next wait raises in a shield, too. */
static void cancel_within_shields(struct spt_task *t)
{
    for (struct spt_scope *scope = t->scope; scope != &t->root; scope = scope->parent)
        spt_scope_cancel(scope, "shutdown", "exit");
    spt_scope_cancel(&t->root, "shutdown", "exit");
}

int septet_exit(lua_State *L)
{
    septet_host *h = septet_host_of(L);
    if (!h)
        return SEPTET_ECLOSED;
    struct spt_sched *s = sched_of(h);
    struct spt_task *t = s->current;
    bool again = s->exiting;
    s->exiting = s->giving_up = true;
    if (t)
        cancel_within_shields(t);
    if (again)
        return spt_op_can_wait(L, s) ? spt_op_abandon(L, s) : SEPTET_EBUSY;
    if (in_finalizer(L))
        septet_interrupt(h); /* for what it interrupts, once it is over */
    else
        act_on_interrupt(h);
    luaL_checkstack(L, 8, NULL);
    return raise_end(L, t);
}
