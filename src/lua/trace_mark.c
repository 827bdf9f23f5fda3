/* SPDX-License-Identifier: MIT */
/* What scripts add to the trace: spans, marks and counters; and the steps of jobs. */
#include <lauxlib.h>
#include <string.h>

#include "base/redact.h"
#include "core/check.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/trace.h"
#include "lua/lib.h"
#include "op/env.h"

enum { NAME_MAX_SIZE = 256 }; /* bytes of a name */

static uint32_t current_id(const struct spt_sched *s)
{
    return s->current ? s->current->id : 0;
}

/* Returns the name at `arg`, and sets the size to which it is cut: no character is split. */
static const char *check_name(lua_State *L, int arg, size_t *len)
{
    const char *name = spt_check_string(L, arg, len);
    if (*len <= NAME_MAX_SIZE)
        return name;
    *len = NAME_MAX_SIZE;
    while (*len > NAME_MAX_SIZE - 4 && ((unsigned char)name[*len] & 0xc0) == 0x80)
        --*len;
    return name;
}

static uint32_t name_text(lua_State *L, struct spt_trace *tr, int arg)
{
    size_t len;
    const char *name = check_name(L, arg, &len);
    return spt_trace_text(tr, name, len);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* trace_span(name): begins a span of the running task. Returns its number, 0 if nothing is
 * recorded. */
static int l_span(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    struct spt_trace *tr = &s->trace;
    spt_check_string(L, 1, NULL);
    if (!tr->ring) {
        lua_pushinteger(L, 0);
        return 1;
    }
    uint64_t place = tr->level >= 2 ? spt_inspect_place(L, s, 1) : 0;
    uint32_t ref = ++s->counts.refs;
    spt_trace_put(tr, (struct spt_rec){.t = spt_sched_clock(s),
                                       .task = current_id(s),
                                       .ref = ref,
                                       .kind = SPT_REC_SPAN,
                                       .a = name_text(L, tr, 1),
                                       .b = place});
    lua_pushinteger(L, ref);
    return 1;
}

/* trace_span_end(number, failed): ends a span. */
static int l_span_end(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    uint32_t ref = (uint32_t)spt_check_count(L, 1, 0);
    if (!s->trace.ring)
        return 0;
    spt_trace_put(&s->trace, (struct spt_rec){.t = spt_sched_clock(s),
                                              .task = current_id(s),
                                              .ref = ref,
                                              .kind = SPT_REC_SPANEND,
                                              .sub = (uint8_t)lua_toboolean(L, 2)});
    return 0;
}

/* trace_mark(name, value): records an instant, with a number or nil. */
static int l_mark(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    bool has_value = !lua_isnoneornil(L, 2);
    double value = has_value ? luaL_checknumber(L, 2) : 0;
    spt_check_string(L, 1, NULL);
    if (!s->trace.ring)
        return 0;
    spt_trace_put(&s->trace, (struct spt_rec){.t = spt_sched_clock(s),
                                              .task = current_id(s),
                                              .kind = SPT_REC_MARK,
                                              .sub = has_value,
                                              .a = name_text(L, &s->trace, 1),
                                              .b = bits_of(value)});
    return 0;
}

/* trace_count(name, value): records the value of a counter. */
static int l_count(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    char name[NAME_MAX_SIZE + 1];
    size_t len;
    const char *given = check_name(L, 1, &len);
    double value = luaL_checknumber(L, 2);
    if (!s->trace.ring)
        return 0;
    memcpy(name, given, len);
    name[len] = '\0';
    spt_trace_put(&s->trace, (struct spt_rec){.t = spt_sched_clock(s),
                                              .task = current_id(s),
                                              .kind = SPT_REC_COUNT,
                                              .a = spt_trace_intern(&s->trace, name),
                                              .b = bits_of(value)});
    return 0;
}

/* Returns the text of a job's key at `arg`, as URLs are kept: without secrets. A key may be nil. */
static uint32_t key_text(lua_State *L, struct spt_trace *tr, int arg)
{
    char shown[SPT_TRACE_TEXT + 1];
    const char *key = lua_tostring(L, arg);
    if (tr->level < 2 || !key)
        return 0;
    key = spt_redact_kept_url(key, shown, sizeof shown);
    return spt_trace_text(tr, key, strlen(key));
}

/* Returns a number at `arg` that is not negative, as a whole one: 0 if it is none. */
static uint64_t whole(lua_State *L, int arg, double factor)
{
    double value = lua_tonumber(L, arg) * factor;
    return value > 0 && value < 1e18 ? (uint64_t)value : 0;
}

/* Returns the number of a queue's name at `arg`. A name that is short is not copied. */
static uint32_t queue_name(lua_State *L, struct spt_trace *tr, int arg)
{
    size_t len = 0;
    const char *name = lua_tolstring(L, arg, &len);
    return len <= SPT_TRACE_NAME ? spt_trace_intern(tr, name) : spt_trace_intern_name(tr, name);
}

/* trace_job(step, queue, key, number, seconds): records a step of a job; step: an enum
 * spt_job_step. Of a put, `number` is that of the new jobs, `seconds` that of all. Called for each
 * job: it checks nothing, and takes what is wrong for nothing. */
static int l_job(lua_State *L)
{
    struct spt_sched *s = spt_env(L)->sched;
    lua_Integer step = lua_tointeger(L, 1);
    if (!s->trace.ring || step < 0 || step >= SPT_JOB_STEPS)
        return 0;
    double factor = step == SPT_JOB_PUT ? 1 : 1e6;
    spt_trace_put(&s->trace,
                  (struct spt_rec){.t = spt_sched_clock(s),
                                   .task = current_id(s),
                                   .ref = queue_name(L, &s->trace, 2),
                                   .kind = SPT_REC_JOB,
                                   .sub = (uint8_t)step,
                                   .a = key_text(L, &s->trace, 3),
                                   .b = spt_trace_step(whole(L, 4, 1), whole(L, 5, factor))});
    return 0;
}

static const luaL_Reg functions[] = {{"trace_span", l_span}, {"trace_span_end", l_span_end},
                                     {"trace_mark", l_mark}, {"trace_count", l_count},
                                     {"trace_job", l_job},   {NULL, NULL}};

void spt_open_trace_mark(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
