/* SPDX-License-Identifier: MIT */
/* Reports run protected. If memory runs out, they use the text that is available. */
#include "host/report.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "core/deadlock.h"
#include "core/dump.h"
#include "core/error.h"
#include "core/inspect.h"
#include "core/script.h"
#include "core/task.h"
#include "core/traceback.h"
#include "host/callback.h"

#define REPORTED_MAX 100 /* maximum number of lines about tasks in a deadlock report */

void spt_report_warning(void *ud, const char *message)
{
    spt_host_warn(ud, message);
}

void spt_report_interrupt_delivered(void *ud)
{
    septet_host *h = ud;
    if (h->config.on_interrupted)
        h->config.on_interrupted(h->config.ud);
}

/* State of Lua's own warnings, which arrive in pieces, with control messages that begin with
 * '@'. */
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
        spt_report_warning(w->host, w->text);
}

void spt_report_open_warnings(lua_State *L, septet_host *h)
{
    struct warning *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct warning){.host = h};
    luaL_ref(L, LUA_REGISTRYINDEX);
    lua_setwarnf(L, on_lua_warning, w);
}

static void call_on_error(septet_host *h, void *error)
{
    h->config.on_error(h->config.ud, error);
}

/* Calls on_error with a value on top of the stack, or without if `has_value` is not set. */
static void report_value(septet_host *h, septet_error *error, bool has_value)
{
    const struct spt_callback on_error = {"on_error", call_on_error, error};
    bool reporting = h->callbacks.reporting;
    h->callbacks.reporting = true;
    error->value = has_value;
    if (!has_value || !spt_callback_run(h, &on_error, 1)) {
        error->value = 0;
        spt_callback_run_plainly(h, &on_error);
    }
    h->callbacks.reporting = reporting;
}

void spt_report_error(septet_host *h, septet_error *error)
{
    if (h->config.on_error)
        report_value(h, error, true);
    else
        lua_pop(h->L, 1);
}

void spt_report_load_error(septet_host *h, struct spt_script *script)
{
    const char *message = lua_tostring(h->L, -1);
    spt_report_error(h, &(septet_error){.kind = spt_report_kind(h->L, -1),
                                        .message = message ? message : "cannot load",
                                        .traceback = "",
                                        .task = "",
                                        .is_main = 1,
                                        .script = script ? script->handle : NULL});
}

const char *spt_report_kind(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TSTRING &&
        strcmp(lua_tostring(L, index), "not enough memory") == 0)
        return "OutOfMemory";
    if (!spt_error_is(L, index, NULL))
        return "error";
    lua_getfield(L, index, "kind");
    const char *kind = lua_tostring(L, -1);
    lua_pop(L, 1); /* the error keeps it alive */
    return kind ? kind : "error";
}

/* Returns the script of an ended task, NULL if it is unloaded or the task is the host's. */
static septet_script *script_of(const struct spt_task *t)
{
    struct spt_script *script = spt_script_find(t->sched, t->numbers.script);
    return script ? script->handle : NULL;
}

/* Pushes task.on_unhandled. Returns false if no script has set it. */
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

/* Warns that a script's callback failed, and pops its error. */
static void warn_failed(septet_host *h, lua_State *L, const char *what)
{
    spt_report_warning(h, lua_pushfstring(L, "%s failed: %s", what, spt_error_push_words(L, -1)));
    lua_pop(L, 3);
}

/* Calls task.on_unhandled(task, error, traceback). Returns false if it did not get the failure. */
static bool tell_script(septet_host *h, lua_State *L)
{
    // stack: task, error, traceback
    if (!push_hook(L))
        return false;
    for (int i = 1; i <= 3; i++)
        lua_pushvalue(L, i);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK || spt_error_is(L, -1, "Cancelled"))
        return true; /* called, or the run was ended there */
    warn_failed(h, L, "task.on_unhandled");
    return false;
}

void spt_report_push(lua_State *L, const struct spt_task *t)
{
    int top = lua_gettop(L);
    spt_task_push(L, t);
    lua_getiuservalue(L, top + 1, SPT_TASK_UV_VALUE);
    if (lua_getiuservalue(L, top + 1, SPT_TASK_UV_TRACEBACK) != LUA_TNIL)
        spt_traceback_render(L);
}

void spt_report_describe(lua_State *L, const struct spt_task *t, struct spt_report *report)
{
    const char *kind = spt_report_kind(L, 2);
    spt_inspect_name(t, report->task, sizeof report->task);
    report->error = (septet_error){
        .kind = lua_pushstring(L, kind), /* the callback may change the error */
        .message = t->body.abandoned ? "abandoned: it absorbed its cancellation at shutdown"
                                     : spt_error_push_words(L, 2),
        .traceback = lua_isstring(L, 3) ? lua_tostring(L, 3) : "",
        .task = report->task,
        .task_id = t->id,
        .is_main = t->body.is_main,
        .script = script_of(t)};
}

static int report(lua_State *L)
{
    struct spt_task *t = lua_touserdata(L, 1);
    septet_host *h = t->sched->hooks.ud;
    struct spt_report r;
    lua_settop(L, 0);
    spt_report_push(L, t);
    if (!t->body.is_main && tell_script(h, L))
        return 0;
    spt_report_describe(L, t, &r);
    if (!t->failure.secondary)
        h->failures++;
    lua_pushvalue(L, 2);
    spt_report_error(h, &r.error);
    return 0;
}

/* Reports an error with the text at hand, because memory ran out during the full report. */
static void report_plainly(septet_host *h, struct spt_task *t)
{
    char name[128];
    const char *message = lua_tostring(h->L, -1);
    spt_inspect_name(t, name, sizeof name);
    if (!t->failure.secondary)
        h->failures++;
    if (!h->config.on_error)
        return;
    report_value(h,
                 &(septet_error){.kind = spt_report_kind(h->L, -1),
                                 .message = message ? message : "an error while reporting an error",
                                 .traceback = "",
                                 .task = name,
                                 .task_id = t->id,
                                 .is_main = t->body.is_main,
                                 .script = script_of(t)},
                 false);
}

/* Warns that on_error raised the error on top of the stack. Allocates nothing. */
static void warn_raised(septet_host *h)
{
    char text[256];
    const char *words = lua_type(h->L, -1) == LUA_TSTRING ? lua_tostring(h->L, -1) : "an error";
    snprintf(text, sizeof text, "on_error failed: %s", words);
    spt_report_warning(h, text);
}

void spt_report_unhandled(void *ud, struct spt_task *t)
{
    septet_host *h = ud;
    if (t->state == SPT_TASK_CANCELLED && h->ending)
        return;
    const struct spt_host_callbacks callbacks = h->callbacks;
    lua_pushcfunction(h->L, report);
    lua_pushlightuserdata(h->L, t);
    if (lua_pcall(h->L, 1, 0, 0) == LUA_OK)
        return;
    bool raised = h->callbacks.reporting && !callbacks.reporting;
    h->callbacks.running = callbacks.running;
    h->callbacks.reporting = callbacks.reporting;
    if (raised) /* on_error itself, which memory was too short to protect */
        warn_raised(h);
    else
        report_plainly(h, t);
    lua_pop(h->L, 1);
}

/* --- deadlock --- */

/* The lines of a report so far. */
struct reported {
    septet_host *host;
    unsigned lines;
};

static void warn_line(void *ud, const char *text)
{
    struct reported *reported = ud;
    if (reported->lines++ < REPORTED_MAX)
        spt_report_warning(reported->host, text);
}

static void warn_tasks(septet_host *h)
{
    struct reported reported = {.host = h};
    char line[64];
    spt_dump_write_tasks(
        &(struct spt_dump){.s = spt_host_sched(h), .line = warn_line, .ud = &reported});
    if (reported.lines <= REPORTED_MAX)
        return;
    snprintf(line, sizeof line, "... and %u more", reported.lines - REPORTED_MAX);
    spt_report_warning(h, line);
}

/* Records a circle of `all` tasks, of which the first `n` are given. */
static void record_deadlock(struct spt_sched *s, struct spt_task **circle, uint32_t n, uint32_t all)
{
    struct spt_rec rec = {.t = s->now_ns, .kind = SPT_REC_DEADLOCK, .sub = 1, .a = s->counts.live};
    for (uint32_t i = 0; i < n; i++) {
        rec.task = circle[i]->id;
        rec.ref = i + 1 < n ? circle[i + 1]->id : all > n ? 0 : circle[0]->id;
        spt_trace_put(&s->trace, rec);
        rec.sub = 0;
    }
    if (n == 0)
        spt_trace_put(&s->trace, rec);
}

/* Records the deadlock, and warns of a circle: "in a circle: 'a' -> 'b' -> 'a'". */
static void warn_circle(septet_host *h)
{
    struct spt_task *tasks[16];
    char line[4096], name[128];
    uint32_t all = spt_deadlock_cycle(spt_host_sched(h), tasks, 16);
    uint32_t n = all < 16 ? all : 16;
    record_deadlock(spt_host_sched(h), tasks, n, all);
    if (n == 0)
        return;
    int at = snprintf(line, sizeof line, "in a circle:");
    for (uint32_t i = 0; i < n; i++) {
        spt_inspect_name(tasks[i], name, sizeof name);
        at += snprintf(line + at, sizeof line - (size_t)at, " '%s' ->", name);
    }
    spt_inspect_name(tasks[0], name, sizeof name);
    snprintf(line + at, sizeof line - (size_t)at, "%s '%s'", all > n ? " ... ->" : "", name);
    spt_report_warning(h, line);
}

void spt_report_deadlock(septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    char line[64];
    if (s->counts.live == 1)
        snprintf(line, sizeof line, "deadlock: the only task waits and nothing can wake it");
    else
        snprintf(line, sizeof line, "deadlock: all %u tasks wait and nothing can wake them",
                 s->counts.live);
    spt_report_warning(h, line);
    warn_tasks(h);
    warn_circle(h);
}
