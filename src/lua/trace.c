/* SPDX-License-Identifier: MIT */
/* Exports the trace ring to scripts: decodes records into tables, and calls sinks once a turn. */
#include "lua/trace.h"

#include <lauxlib.h>
#include <stdio.h>

#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/trace.h"
#include "lua/lib.h"
#include "op/env.h"
#include "op/fields.h"

#define SINKS "septet.trace.sinks" /* registry: an array of functions */

struct spt_trace_sinks {
    uint64_t flushed; /* the ring's head when the sinks last ran */
};

static const char *const kind_words[] = {
#define XX(name, word) [SPT_REC_##name] = word,
    SPT_REC_MAP(XX)
#undef XX
};

static void set_text(lua_State *L, const char *field, const char *text)
{
    if (*text) {
        lua_pushstring(L, text);
        lua_setfield(L, -2, field);
    }
}

static void set_place(lua_State *L, const struct spt_trace *tr, const char *field, uint64_t place)
{
    const char *source = spt_trace_string(tr, (uint32_t)(place >> 32));
    if (!*source)
        return;
    lua_pushfstring(L, (uint32_t)place ? "%s:%d" : "%s", source, (int)(uint32_t)place);
    lua_setfield(L, -2, field);
}

static void set_us(lua_State *L, const char *field, int32_t us)
{
    spt_fields_set_seconds(L, field, us * (int64_t)SPT_NS_PER_US);
}

static void set_wait(lua_State *L, const struct spt_trace *tr, const struct spt_rec *r)
{
    char text[1024];
    if (r->sub)
        spt_trace_get_text(tr, r->a, text, sizeof text);
    else
        snprintf(text, sizeof text, "%s", spt_trace_string(tr, r->a));
    set_text(L, "what", text);
    set_place(L, tr, "at", r->b);
    spt_fields_set_count(L, "ref", r->ref);
}

static void set_xfer(lua_State *L, const struct spt_trace *tr, const struct spt_event *ev)
{
    const struct spt_trace_transfer *x = &ev->xfer;
    char url[1024];
    spt_trace_get_text(tr, x->url, url, sizeof url);
    set_text(L, "url", url);
    set_text(L, "method", spt_trace_string(tr, x->method));
    set_text(L, "code", spt_trace_string(tr, x->code));
    set_text(L, "phase", spt_trace_string(tr, x->phase));
    set_place(L, tr, "at", x->place);
    spt_fields_set_count(L, "ref", ev->rec.ref);
    spt_fields_set_count(L, "status", x->status);
    spt_fields_set_count(L, "protocol", x->version);
    spt_fields_set_count(L, "bytes", x->bytes);
    spt_fields_set_flag(L, "reused", x->reused);
    if (x->insecure)
        spt_fields_set_flag(L, "insecure", true);
    set_us(L, "queue", x->us.queue);
    set_us(L, "dns", x->us.dns);
    set_us(L, "tcp", x->us.tcp);
    set_us(L, "tls", x->us.tls);
    set_us(L, "send", x->us.send);
    set_us(L, "wait", x->us.wait);
    set_us(L, "receive", x->us.recv);
    set_us(L, "total", x->us.total);
}

static void set_name(lua_State *L, const struct spt_trace *tr, const struct spt_rec *r)
{
    char text[1024];
    spt_trace_get_text(tr, r->a, text, sizeof text);
    set_text(L, "name", text);
}

/* Pushes an event as a table. */
static void push_event(lua_State *L, const struct spt_trace *tr, const struct spt_event *ev)
{
    static const char *const left[] = {"wait", "yield", "end"};
    static const char *const outcomes[] = {
        [SPT_TASK_DONE] = "ok", [SPT_TASK_FAILED] = "error", [SPT_TASK_CANCELLED] = "cancelled"};
    const struct spt_rec *r = &ev->rec;
    lua_createtable(L, 0, 8);
    lua_pushstring(L, kind_words[r->kind]);
    lua_setfield(L, -2, "kind");
    spt_fields_set_seconds(L, "time", (int64_t)r->t);
    spt_fields_set_count(L, "task", r->task);
    switch (r->kind) {
    case SPT_REC_SPAWN:
        spt_fields_set_count(L, "parent", r->ref);
        set_place(L, tr, "defined", ev->function_place);
        set_place(L, tr, "at", ev->spawn_place);
        break;
    case SPT_REC_WAIT:
        set_wait(L, tr, r);
        break;
    case SPT_REC_READY:
        spt_fields_set_count(L, "by", r->ref);
        spt_fields_set_flag(L, "cancelled", r->sub);
        break;
    case SPT_REC_RUN:
        spt_fields_set_seconds(L, "duration", (int64_t)r->b);
        set_text(L, "left", left[r->sub]);
        break;
    case SPT_REC_CANCEL:
        spt_fields_set_count(L, "by", r->ref);
        set_text(L, "source", spt_trace_string(tr, r->a));
        break;
    case SPT_REC_END:
        set_text(L, "outcome", outcomes[r->sub]);
        break;
    case SPT_REC_XFER:
        set_xfer(L, tr, ev);
        break;
    case SPT_REC_NAME:
        set_name(L, tr, r);
        break;
    case SPT_REC_HOG:
        spt_fields_set_seconds(L, "duration", (int64_t)r->b);
        break;
    }
}

/* trace_read(cursor): returns the event at a cursor (0 for the oldest) as a table, the next cursor,
 * and the number of records overwritten unread. Returns nil if there is no further event. */
static int l_read(lua_State *L)
{
    const struct spt_trace *tr = &spt_env(L)->sched->trace;
    uint64_t cursor = (uint64_t)spt_check_count(L, 1, 0), lost = 0;
    struct spt_event ev;
    if (!spt_trace_read(tr, &cursor, &ev, &lost))
        return 0;
    push_event(L, tr, &ev);
    lua_pushinteger(L, (lua_Integer)cursor);
    lua_pushinteger(L, (lua_Integer)lost);
    return 3;
}

/* trace_head(): returns the cursor of the next event to come. */
static int l_head(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)spt_env(L)->sched->trace.head);
    return 1;
}

/* trace_sink(fn): registers fn, which is called outside any task, once in each turn with new
 * events. Raises the trace level, so that events have texts and lines. A sink that raises is
 * removed, with a warning. */
static int l_sink(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    spt_check_callable(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, SINKS);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    if (!env->sinks) {
        struct spt_trace_sinks *sinks = lua_newuserdatauv(L, sizeof *sinks, 0);
        sinks->flushed = 0;
        lua_rawsetp(L, LUA_REGISTRYINDEX, sinks); /* for as long as the env refers to it */
        env->sinks = sinks;
    }
    env->sched->trace.level = 2;
    return 0;
}

static void remove_sink(lua_State *L, lua_Integer i)
{
    for (; i <= (lua_Integer)lua_rawlen(L, 2); i++) {
        lua_rawgeti(L, 2, i + 1);
        lua_rawseti(L, 2, i);
    }
}

static int flush(lua_State *L)
{
    struct spt_env *env = lua_touserdata(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, SINKS); // stack: env, sinks
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 2);) {
        lua_rawgeti(L, 2, i);
        if (lua_pcall(L, 0, 0, 0) == LUA_OK) {
            i++;
            continue;
        }
        remove_sink(L, i);
        if (spt_error_is(L, 3, "Cancelled")) { /* it was interrupted, or has ended the run */
            lua_settop(L, 2);
            continue;
        }
        const char *words = spt_error_push_words(L, 3);
        words = lua_pushfstring(L, "a trace subscriber failed: %s", words);
        env->sched->hooks.warn(env->sched->hooks.ud, words);
        lua_settop(L, 2);
    }
    return 0;
}

void spt_trace_flush(struct spt_env *env)
{
    struct spt_sched *s = env->sched;
    if (!env->sinks || s->trace.head == env->sinks->flushed)
        return;
    env->sinks->flushed = s->trace.head;
    lua_pushcfunction(s->main, flush);
    lua_pushlightuserdata(s->main, env);
    if (lua_pcall(s->main, 1, 0, 0) != LUA_OK)
        lua_pop(s->main, 1);
}

static const luaL_Reg functions[] = {
    {"trace_read", l_read}, {"trace_head", l_head}, {"trace_sink", l_sink}, {NULL, NULL}};

void spt_open_trace(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
    lua_pushnil(L); /* the sinks of an earlier host of this state */
    lua_setfield(L, LUA_REGISTRYINDEX, SINKS);
}
