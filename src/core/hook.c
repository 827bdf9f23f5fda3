/* SPDX-License-Identifier: MIT */
/* Keeps a record of a script's hook in a registry table with weak keys, by coroutine. The hook that
 * Lua gets then calls the script's function, and the host's hook of every coroutine. */
#include "core/hook.h"

#include <lauxlib.h>

#include "core/frames.h"
#include "core/sched.h"
#include "core/task.h"

/* instructions after which an interrupted task is not on its way to a wait */
#define COMPUTES_MIN 10000

#define HOOKS "_HOOKKEY" /* registry key; also stock Lua's name for its table */

/* A script's hook. Its user value is the function. */
struct record {
    int mask, count;
    int left;  /* number of instructions before the script's next count event */
    int armed; /* number of instructions before Lua's next count event; 0 if none comes */
};

static void push_thread(lua_State *L, lua_State *co)
{
    lua_pushthread(co);
    if (co != L)
        lua_xmove(co, L, 1);
}

/* Pushes the record of `co`. Returns NULL, with nothing pushed, if there is none. Allocates
 * nothing. */
static struct record *push_record(lua_State *L, const struct spt_sched *s, lua_State *co)
{
    if (!s->debug_hook.by_scripts)
        return NULL;
    lua_getfield(L, LUA_REGISTRYINDEX, HOOKS);
    push_thread(L, co);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    struct record *record = lua_touserdata(L, -1);
    if (!record)
        lua_pop(L, 1);
    return record;
}

static bool counts(const struct spt_sched *s, const struct spt_task *t)
{
    return s->debug_hook.count_hook &&
           (s->debug_hook.everywhere || (t && spt_account_limits_slices(t->spawn.account)));
}

bool spt_hook_counts(const struct spt_sched *s)
{
    return counts(s, s->current);
}

/* Runs as Lua's hook while there is a hook of all lines. Calls the one of instructions, too. */
static void on_line_or_count(lua_State *L, lua_Debug *ar)
{
    const struct spt_sched *s = spt_sched_of(L);
    if (!s)
        return;
    if (ar->event == LUA_HOOKLINE && s->debug_hook.line.call)
        s->debug_hook.line.call(L, ar, s->debug_hook.line.data);
    else if (ar->event == LUA_HOOKCOUNT && s->debug_hook.count_hook)
        s->debug_hook.count_hook(L, ar);
}

static void set_count(lua_State *co, const struct spt_sched *s, bool set)
{
    if (s->debug_hook.line.call) {
        lua_sethook(co, on_line_or_count, LUA_MASKLINE | (set ? LUA_MASKCOUNT : 0),
                    s->debug_hook.count);
        return;
    }
    lua_sethook(co, set ? s->debug_hook.count_hook : NULL, set ? LUA_MASKCOUNT : 0,
                s->debug_hook.count);
}

void spt_hook_begin(lua_State *co, const struct spt_sched *s, const struct spt_task *t)
{
    if (s->debug_hook.count_hook || s->debug_hook.line.call)
        set_count(co, s, counts(s, t));
}

bool spt_hook_ends(const struct spt_sched *s)
{
    const struct spt_task *t = s->current;
    return t && s->debug_hook.ended_task == t->id && s->debug_hook.ended_turn == t->turn.count;
}

void spt_hook_end(struct spt_sched *s, const struct spt_task *t, lua_Hook hook)
{
    s->debug_hook.ended_task = t->id;
    s->debug_hook.ended_turn = t->turn.count;
    spt_hook_each(t, hook, LUA_MASKCOUNT);
}

void spt_hook_each(const struct spt_task *t, lua_Hook hook, int mask)
{
    if (t->co) /* a bare task has none */
        lua_sethook(t->co, hook, mask, 1);
    for (const struct spt_frame *f = t->sched->run.turns.frame; f; f = f->up)
        lua_sethook(f->co, hook, mask, 1);
}

/* Returns the number of instructions until Lua's next count event: the host's, or the script's if
 * that comes first. */
static int next_count(const struct spt_sched *s, const struct record *record)
{
    int count = spt_hook_counts(s) ? s->debug_hook.count : 0;
    if ((record->mask & LUA_MASKCOUNT) && (!count || record->left < count))
        count = record->left;
    return count;
}

static void on_event(lua_State *L, lua_Debug *ar);

static void arm(lua_State *co, const struct spt_sched *s, struct record *record)
{
    record->armed = next_count(s, record);
    int mask = (record->mask & ~LUA_MASKCOUNT) | (record->armed ? LUA_MASKCOUNT : 0) |
               (s->debug_hook.line.call ? LUA_MASKLINE : 0);
    lua_sethook(co, on_event, mask, record->armed);
}

/* Handles one of Lua's count events. Returns true if it is also one of the script's. */
static bool counted(lua_State *L, const struct spt_sched *s, struct record *record)
{
    bool due = false;
    if (record->mask & LUA_MASKCOUNT) {
        record->left -= record->armed;
        due = record->left <= 0;
        if (due)
            record->left = record->count;
    }
    if (record->armed != next_count(s, record))
        arm(L, s, record);
    return due;
}

/* Runs as Lua's hook if a script has set one. Events in Septet's modules are not passed on. */
static void on_event(lua_State *L, lua_Debug *ar)
{
    static const char *const names[] = {[LUA_HOOKCALL] = "call",
                                        [LUA_HOOKRET] = "return",
                                        [LUA_HOOKLINE] = "line",
                                        [LUA_HOOKCOUNT] = "count",
                                        [LUA_HOOKTAILCALL] = "tail call"};
    const struct spt_sched *s = spt_sched_of(L);
    struct record *record = s ? push_record(L, s, L) : NULL;
    if (!record) { /* a new coroutine inherits the hook of its creator */
        if (s)
            set_count(L, s, spt_hook_counts(s));
        else
            lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (s->debug_hook.count_hook)
        s->debug_hook.count_hook(L, ar);
    if (s->debug_hook.line.call && ar->event == LUA_HOOKLINE)
        s->debug_hook.line.call(L, ar, s->debug_hook.line.data);
    bool due = ar->event == LUA_HOOKLINE    ? record->mask & LUA_MASKLINE
               : ar->event == LUA_HOOKCOUNT ? counted(L, s, record)
                                            : true;
    if (!due || spt_frames_own(L) || spt_frames_hidden(L, ar))
        return;
    lua_getiuservalue(L, -1, 1);
    lua_pushstring(L, names[ar->event]);
    if (ar->currentline >= 0)
        lua_pushinteger(L, ar->currentline);
    else
        lua_pushnil(L);
    lua_call(L, 2, 0);
}

bool spt_hook_is_ours(const struct spt_sched *s, lua_State *co)
{
    lua_Hook hook = lua_gethook(co);
    return !hook || hook == on_event || hook == on_line_or_count ||
           hook == s->debug_hook.count_hook || hook == s->interrupt.hook;
}

void spt_hook_count_line(lua_State *L, lua_Debug *ar)
{
    const struct spt_sched *s = spt_sched_of(L);
    if (s && s->debug_hook.line.call && lua_getinfo(L, "l", ar))
        s->debug_hook.line.call(L, ar, s->debug_hook.line.data);
}

void spt_hook_set_line(lua_State *L, struct spt_sched *s,
                       void (*call)(lua_State *L, lua_Debug *ar, void *data), void *data)
{
    s->debug_hook.line.call = call;
    s->debug_hook.line.data = data;
    if (spt_hook_is_ours(s, s->main) && lua_checkstack(s->main, 2))
        spt_hook_restore(s->main, s);
    if (L != s->main && spt_hook_is_ours(s, L))
        spt_hook_restore(L, s);
}

lua_State *spt_hook_running(const struct spt_sched *s)
{
    lua_State *co = spt_task_innermost(s->current);
    return co ? co : s->main;
}

void spt_hook_urge(lua_State *L, struct spt_sched *s)
{
    if (!spt_hook_is_ours(s, L)) {
        s->debug_hook.foreign.of = L;
        s->debug_hook.foreign.hook = lua_gethook(L);
        s->debug_hook.foreign.mask = lua_gethookmask(L);
        s->debug_hook.foreign.count = lua_gethookcount(L);
    }
    lua_sethook(L, s->interrupt.hook, SPT_HOOK_EVERYTHING, 1);
}

/* Restores the hook of an embedder's, in place of which the urgent one is set. Returns false if
 * there is none. */
static bool restore_foreign(lua_State *L, struct spt_sched *s)
{
    if (s->debug_hook.foreign.of != L || lua_gethook(L) != s->interrupt.hook)
        return false;
    s->debug_hook.foreign.of = NULL;
    lua_sethook(L, s->debug_hook.foreign.hook, s->debug_hook.foreign.mask,
                s->debug_hook.foreign.count);
    return true;
}

void spt_hook_restore(lua_State *L, struct spt_sched *s)
{
    if (restore_foreign(L, s))
        return;
    struct record *record = push_record(L, s, L);
    if (!record) {
        set_count(L, s, spt_hook_counts(s));
        return;
    }
    arm(L, s, record);
    lua_pop(L, 1);
}

/* A signal handler may request an interrupt at any time. Once it was acted upon, a task feels it at
 * its next wait, and only one that computes in the hook. Code that a script's exit has cancelled
 * feels only the interrupts that come while it runs. */
void spt_hook_keep_urgent(lua_State *L, struct spt_sched *s)
{
    if ((s->interrupt.requested && *s->interrupt.requested) ||
        (spt_sched_urgent(s) & SPT_URGENT_INSPECTION))
        spt_hook_urge(L, s);
    else if (spt_sched_is_interrupted(s) && !s->run.exiting)
        lua_sethook(L, s->interrupt.hook, LUA_MASKCOUNT, COMPUTES_MIN);
}

void spt_hook_put(lua_State *L, struct spt_sched *s, lua_Hook hook, int mask, int count)
{
    if (s->debug_hook.foreign.of == L)
        s->debug_hook.foreign.of = NULL;
    lua_sethook(L, hook, mask, count);
    spt_hook_keep_urgent(L, s);
}

/* Sets the hook that the record of `co` asks for, unless the host is ending what `co` runs. */
static void change(lua_State *L, struct spt_sched *s, lua_State *co)
{
    bool ends = s->debug_hook.count_hook && lua_gethook(co) == s->debug_hook.count_hook &&
                lua_gethookcount(co) == 1;
    if (ends || !lua_checkstack(co, 4))
        return;
    spt_hook_restore(co, s);
    spt_hook_keep_urgent(co, s);
    /* the count starts anew: check the limits now, so that a loop of this cannot escape them */
    if (s->debug_hook.count_hook && co == L)
        s->debug_hook.count_hook(L, NULL);
}

/* Pushes the table of records, and makes it at its first use. */
static void push_table(lua_State *L)
{
    if (luaL_getsubtable(L, LUA_REGISTRYINDEX, HOOKS))
        return;
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

void spt_hook_set(lua_State *L, struct spt_sched *s, lua_State *co, int mask, int count)
{
    // stack: ..., function
    luaL_checkstack(L, 6, NULL);
    if (!lua_checkstack(co, 2))
        luaL_error(L, "stack overflow");
    push_table(L);
    s->debug_hook.by_scripts = true;
    push_thread(L, co);
    if (mask) {
        struct record *record = lua_newuserdatauv(L, sizeof *record, 1);
        *record = (struct record){.mask = mask, .count = count, .left = count};
        lua_pushvalue(L, -4);
        lua_setiuservalue(L, -2, 1);
    } else {
        lua_pushnil(L);
    }
    lua_rawset(L, -3);
    lua_pop(L, 2);
    change(L, s, co);
}

bool spt_hook_push(lua_State *L, const struct spt_sched *s, lua_State *co, int *mask, int *count)
{
    luaL_checkstack(L, 4, NULL);
    const struct record *record = lua_checkstack(co, 1) ? push_record(L, s, co) : NULL;
    if (!record)
        return false;
    *mask = record->mask;
    *count = record->count;
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
    return true;
}

void spt_hook_inherit(lua_State *L, struct spt_sched *s, lua_State *co)
{
    int mask, count;
    if (spt_hook_push(L, s, L, &mask, &count))
        spt_hook_set(L, s, co, mask, count);
}
