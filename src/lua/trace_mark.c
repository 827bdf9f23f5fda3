/* SPDX-License-Identifier: MIT */
/* What scripts add to the trace: spans, marks and counters. */
#include <lauxlib.h>
#include <string.h>

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

static const luaL_Reg functions[] = {{"trace_span", l_span},
                                     {"trace_span_end", l_span_end},
                                     {"trace_mark", l_mark},
                                     {"trace_count", l_count},
                                     {NULL, NULL}};

void spt_open_trace_mark(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
