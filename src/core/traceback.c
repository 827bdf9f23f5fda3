/* SPDX-License-Identifier: MIT */
/* Builds tracebacks in message handlers, from the stack and from marks in the raising function. */
#include "core/traceback.h"

#include <lauxlib.h>
#include <string.h>

#include "core/anchor.h"
#include "core/error.h"
#include "core/frames.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "core/task.h"

#define DEPTH_MAX 16 /* maximum number of sections of a traceback */

/* Marks by which the function on level 1 of a message handler shows that it raises an error again.
 * Its first local is the address of one of these, the second the traceback. */
static const char passed = 0;  /* then: the label of the handler's stack, or nil to omit it */
static const char awaited = 0; /* then: the name of the task that failed, and its id */

static const char deaths = 0; /* registry key of the table of tracebacks by dead coroutine */

/* --- nodes --- */

#define NODE_META "septet.traceback"

/* A node is a userdata, so that no script can make or change it. */
struct node {
    uint32_t origin;      /* id of the task in which the error was first a failure, 0 for none */
    unsigned depth;       /* number of nodes from here down */
    lua_Integer left_out; /* number of nodes omitted to limit its growth */
};

/* The user values of a node. */
enum {
    NODE_BELOW = 1, /* the node of the error raised again, nil for none */
    NODE_TEXT,      /* the lines of one stack */
    NODE_LABEL,     /* what happened there, for display; nil while it is the only node */
    NODE_LAST = NODE_LABEL
};

static struct node *push_node(lua_State *L, uint32_t origin)
{
    struct node *node = lua_newuserdatauv(L, sizeof *node, NODE_LAST);
    *node = (struct node){.origin = origin, .depth = 1};
    luaL_setmetatable(L, NODE_META);
    return node;
}

/* Pops the text on top of the stack and pushes a node of it, with no node below. */
static void push_base(lua_State *L, uint32_t origin)
{
    push_node(L, origin);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, NODE_TEXT);
}

/* Makes a node of the traceback at `index`, unless it is one, and sets its label if it has none. */
static void make_base(lua_State *L, int index, const char *label, uint32_t origin)
{
    if (lua_isstring(L, index)) {
        lua_pushvalue(L, index);
        push_base(L, origin);
        lua_replace(L, index);
    }
    if (lua_getiuservalue(L, index, NODE_LABEL) == LUA_TNIL) {
        lua_pushstring(L, label);
        lua_setiuservalue(L, index, NODE_LABEL);
    }
    lua_pop(L, 1);
}

/* Replaces the node at `index` by the lowest one below it. Returns the number of nodes above that,
 * omitted ones included. */
static lua_Integer go_to_base(lua_State *L, int index)
{
    lua_Integer left_out = ((const struct node *)lua_touserdata(L, index))->left_out;
    while (lua_getiuservalue(L, index, NODE_BELOW) == LUA_TUSERDATA) {
        lua_replace(L, index);
        left_out++;
    }
    lua_pop(L, 1);
    return left_out;
}

/* Replaces the node at `index` by a new one above it, with the stack and the label on top of the
 * stack, which it pops. */
static void add_node(lua_State *L, int index, uint32_t origin)
{
    struct node before = *(const struct node *)lua_touserdata(L, index);
    if (before.depth >= DEPTH_MAX) {
        before.left_out = go_to_base(L, index);
        before.depth = 1;
    }
    struct node *node = push_node(L, before.origin ? before.origin : origin);
    node->depth = before.depth + 1;
    node->left_out = before.left_out;
    lua_insert(L, -3); // stack: ..., node, text, label
    lua_setiuservalue(L, -3, NODE_LABEL);
    lua_setiuservalue(L, -2, NODE_TEXT);
    lua_pushvalue(L, index);
    lua_setiuservalue(L, -2, NODE_BELOW);
    lua_replace(L, index);
}

/* Pushes the text of the node at `index`, preceded by its label if `with_label`. */
static void push_section(lua_State *L, int index, bool with_label)
{
    lua_getiuservalue(L, index, NODE_TEXT);
    if (!with_label)
        return;
    lua_getiuservalue(L, index, NODE_LABEL);
    lua_pushfstring(L, "\n%s:%s", lua_tostring(L, -1), lua_tostring(L, -2));
    lua_replace(L, -3);
    lua_pop(L, 1);
}

void spt_traceback_render(lua_State *L)
{
    int top = lua_gettop(L), base = top;
    luaL_Buffer b;
    luaL_checkstack(L, DEPTH_MAX + 10, NULL);
    if (lua_isstring(L, top)) {
        lua_pushliteral(L, "stack traceback:");
        lua_insert(L, -2);
        lua_concat(L, 2);
        return;
    }
    const struct node *node = luaL_testudata(L, top, NODE_META);
    if (!node) {
        lua_pop(L, 1);
        lua_pushliteral(L, "");
        return;
    }
    while (lua_getiuservalue(L, base, NODE_BELOW) == LUA_TUSERDATA)
        base++;
    lua_pop(L, 1);
    lua_Integer left_out = node->left_out;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "stack traceback:");
    for (int i = base; i >= top; i--) {
        push_section(L, i, base > top);
        luaL_addvalue(&b);
        if (i == base && left_out > 0) {
            lua_pushfstring(L, "\n(%d more left out)", (int)left_out);
            luaL_addvalue(&b);
        }
    }
    luaL_pushresult(&b);
    lua_replace(L, top);
    lua_settop(L, top);
}

/* --- raising again --- */

int spt_traceback_raise(lua_State *L, const char *label)
{
    // stack: ..., traceback, error
    luaL_checkstack(L, 4, NULL);
    lua_pushlightuserdata(L, (void *)&passed);
    lua_insert(L, 1);
    lua_pushvalue(L, -2);
    lua_insert(L, 2);
    lua_pushstring(L, label);
    lua_insert(L, 3);
    return lua_error(L);
}

int spt_traceback_raise_failure(lua_State *L, int handle, const struct spt_task *t)
{
    // stack: ..., error
    char name[128];
    luaL_checkstack(L, 8, NULL);
    lua_pushlightuserdata(L, (void *)&awaited);
    lua_getiuservalue(L, handle, SPT_TASK_UV_TRACEBACK);
    spt_inspect_label(L, handle, t, name, sizeof name);
    lua_pushfstring(L, "raised at, in task '%s'", name);
    lua_pushinteger(L, t->id);
    for (int at = 1; at <= 4; at++) // the last one first
        lua_insert(L, 1);
    return lua_error(L);
}

/* --- in a message handler --- */

/* Returns true if the error at index 1 only unwinds the task. A traceback is of use for a Cancelled
 * that no cancellation caused, and for one that becomes a Timeout. */
static bool unwinds(lua_State *L, const struct spt_task *t)
{
    if (spt_error_is(L, 1, "GeneratorClosed"))
        return true;
    if (!t || !spt_error_is(L, 1, "Cancelled") ||
        !(t->scope->cancel_pending || t->sched->run.shutting_down))
        return false;
    const struct spt_scope *c = spt_scope_canceller(t->scope);
    return !c || spt_task_of_scope(c) != t || strcmp(spt_scope_cancel_source(c), "deadline") != 0;
}

/* Pushes the stack from the function that raised. If that is the stack of a task's own coroutine,
 * adds the line that spawned the task. */
static void push_here(lua_State *L, const struct spt_task *t)
{
    spt_frames_push(L, L, 1);
    if (!t || t->co != L)
        return;
    spt_inspect_push_site(L, t);
    lua_concat(L, 2);
}

static void take_passed(lua_State *L, lua_Debug *ar, const struct spt_task *t)
{
    lua_getlocal(L, ar, 2);
    lua_getlocal(L, ar, 3); // stack: ..., traceback, label
    if (lua_isnil(L, -2) || lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    make_base(L, lua_gettop(L) - 1, "raised at", 0);
    push_here(L, t);
    lua_insert(L, -2);
    add_node(L, lua_gettop(L) - 2, 0);
}

/* Returns true for a task that runs a function of Septet's modules, as gather's do, unless the host
 * shows those. */
static bool is_own_task(const struct spt_task *t)
{
    const struct spt_sched *s = t->sched;
    const char *source = spt_trace_string(&s->trace, (uint32_t)(spt_task_function_place(t) >> 32));
    return !s->frames.shown && strncmp(source, "[septet.", 8) == 0;
}

static void take_awaited(lua_State *L, lua_Debug *ar, const struct spt_task *t)
{
    char name[128];
    lua_getlocal(L, ar, 4);
    uint32_t origin = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_getlocal(L, ar, 2);
    if (lua_isnil(L, -1)) { /* it was cancelled, for example: the error is made here */
        lua_pop(L, 1);
        push_here(L, t);
        push_base(L, origin);
        return;
    }
    lua_getlocal(L, ar, 3);
    make_base(L, lua_gettop(L) - 1, lua_tostring(L, -1), origin);
    lua_pop(L, 1);
    if (t && is_own_task(t))
        return;
    push_here(L, t);
    if (t)
        spt_inspect_name(t, name, sizeof name);
    lua_pushfstring(L, t ? "awaited at, in task '%s'" : "awaited at", name);
    add_node(L, lua_gettop(L) - 2, origin);
}

/* Pushes the traceback that the raising function holds of the error; nil for none. */
static void push_inherited(lua_State *L, const struct spt_task *t)
{
    lua_Debug ar;
    const void *mark = NULL;
    if (lua_getstack(L, 1, &ar) && lua_getlocal(L, &ar, 1)) {
        mark = lua_islightuserdata(L, -1) ? lua_touserdata(L, -1) : NULL;
        lua_pop(L, 1);
    }
    if (mark == &passed)
        take_passed(L, &ar, t);
    else if (mark == &awaited)
        take_awaited(L, &ar, t);
    else
        lua_pushnil(L);
}

/* Pushes the traceback of the error at index 1. */
static void take(lua_State *L, const struct spt_task *t)
{
    push_inherited(L, t);
    if (lua_isnil(L, -1) && !unwinds(L, t)) {
        lua_pop(L, 1);
        push_here(L, t);
    }
}

/* Keeps the traceback on top of the stack for a group held in a variable, because no protected call
 * of Septet's surrounds its block. */
static void keep_for_block(lua_State *L, const struct spt_task *t)
{
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_SCOPE);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -4);
    lua_rawseti(L, -2, 2);
    lua_setiuservalue(L, -2, SPT_SCOPE_UV_CAUGHT);
    lua_pop(L, 2);
}

bool spt_traceback_handle(lua_State *L, bool in_block)
{
    struct spt_sched *s = spt_sched_of(L);
    struct spt_task *t = s ? s->current : NULL;
    lua_settop(L, 1);
    if (!lua_checkstack(L, 30)) /* the stack has overflowed */
        return false;
    take(L, t);
    if (in_block && t && t->scope->kind.cancels_children_only && !lua_isnil(L, -1))
        keep_for_block(L, t);
    return true;
}

static int on_error(lua_State *L)
{
    if (!spt_traceback_handle(L, !lua_isboolean(L, lua_upvalueindex(1))))
        return 1;
    lua_replace(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_replace(L, lua_upvalueindex(2));
    return 1;
}

/* Like on_error(), but keeps only the tracebacks of errors that unwind. */
static int on_error_unwinding(lua_State *L)
{
    bool passes = spt_error_is(L, 1, "Cancelled") || spt_error_is(L, 1, "GeneratorClosed");
    return passes ? on_error(L) : 1;
}

void spt_traceback_push_handler(lua_State *L, bool unwinding)
{
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushcclosure(L, unwinding ? on_error_unwinding : on_error, 2);
}

void spt_traceback_reuse_handler(lua_State *L, int handler)
{
    lua_pushboolean(L, 1);
    lua_setupvalue(L, handler, 1);
}

void spt_traceback_caught(lua_State *L, int handler, int error)
{
    error = lua_absindex(L, error);
    lua_getupvalue(L, handler, 1);
    lua_getupvalue(L, handler, 2);
    bool same = spt_error_same(L, -1, error);
    lua_pop(L, 1);
    if (same)
        return;
    lua_pop(L, 1);
    lua_pushnil(L);
}

/* Pops the value on top of the stack and stores it as the traceback of the dead coroutine `co`. */
static void set_death(lua_State *L, lua_State *co)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &deaths);
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    lua_rotate(L, -3, -1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

int spt_traceback_on_death(lua_State *co)
{
    if (spt_traceback_handle(co, true))
        set_death(co, co);
    return 1;
}

void spt_traceback_of_death(lua_State *L, lua_State *co)
{
    luaL_checkstack(L, 6, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &deaths);
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    bool any = lua_rawget(L, -2) != LUA_TNIL;
    lua_remove(L, -2);
    if (!any)
        return;
    lua_pushnil(L);
    set_death(L, co); /* an existing entry: allocates nothing */
}

void spt_traceback_open(lua_State *L)
{
    luaL_newmetatable(L, NODE_META);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    spt_anchor_new_weak_table(L, &deaths);
}

bool spt_traceback_is(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING || luaL_testudata(L, index, NODE_META);
}

uint32_t spt_traceback_origin(lua_State *L, int traceback)
{
    const struct node *node = luaL_testudata(L, traceback, NODE_META);
    return node ? node->origin : 0;
}
