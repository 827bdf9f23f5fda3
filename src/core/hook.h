/* SPDX-License-Identifier: MIT */
/* Debug hooks. Lua has one per coroutine, so a script's hook shares it with the host's limit on
 * turns. */
#ifndef SPT_CORE_HOOK_H
#define SPT_CORE_HOOK_H

#include <lua.h>
#include <stdbool.h>

struct spt_sched;
struct spt_task;

#define SPT_HOOK_EVERYTHING (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

/* Sets the hook that a script asked for on `co`: the function on top of L, which it pops. A mask of
 * 0 removes the hook. Raises out of memory; nothing has changed then. */
void spt_hook_set(lua_State *L, struct spt_sched *s, lua_State *co, int mask, int count);

/* Sets the hook of all lines, or removes it if `call` is NULL: in the main coroutine, in L, and in
 * those that will be made. Those that exist get it when they next start as a task, or are resumed
 * in one. An embedder's hook stays, and its coroutine's lines are not seen. */
void spt_hook_set_line(lua_State *L, struct spt_sched *s,
                       void (*call)(lua_State *L, lua_Debug *ar, void *data), void *data);

/* Calls the hook of all lines, if there is one, with the line at which L is. */
void spt_hook_count_line(lua_State *L, lua_Debug *ar);

/* Pushes the function of the hook that a script has set on `co`, and sets `mask` and `count`.
 * Returns false, with nothing pushed, if there is none. */
bool spt_hook_push(lua_State *L, const struct spt_sched *s, lua_State *co, int *mask, int *count);

/* Sets on `co` the hook that a script has set on L. Raises out of memory. */
void spt_hook_inherit(lua_State *L, struct spt_sched *s, lua_State *co);

/* Returns true if Lua's hook of `co` is one of Septet's, or if there is none. */
bool spt_hook_is_ours(const struct spt_sched *s, lua_State *co);

/* Restores the hook that L should have, after another one replaced it. Allocates nothing. */
void spt_hook_restore(lua_State *L, struct spt_sched *s);

/* Sets the count hook on `co`, a coroutine for the task `t` or of it, if the host counts what that
 * task runs. Otherwise there is none. */
void spt_hook_begin(lua_State *co, const struct spt_sched *s, const struct spt_task *t);

/* Returns true if the host counts what the running task runs. */
bool spt_hook_counts(const struct spt_sched *s);

/* Returns true while the host ends what the running task runs: each instruction raises. */
bool spt_hook_ends(const struct spt_sched *s);

/* Ends what `t` runs: each instruction raises, for the rest of its turn. */
void spt_hook_end(struct spt_sched *s, const struct spt_task *t, lua_Hook hook);

/* Sets a hook, called at each event, in all the coroutines that run in a turn of `t`. */
void spt_hook_each(const struct spt_task *t, lua_Hook hook, int mask);

/* Returns the innermost coroutine of the running task, which is the main one for a bare task. */
lua_State *spt_hook_running(const struct spt_sched *s);

/* Sets the hook on L that does what is urgent, at its next instruction. spt_hook_restore() ends
 * that. Safe in a signal handler. */
void spt_hook_urge(lua_State *L, struct spt_sched *s);

/* Sets that hook on L, which runs next, if something urgent was not done yet. */
void spt_hook_keep_urgent(lua_State *L, struct spt_sched *s);

/* Like lua_sethook(), but keeps or sets that hook if something becomes urgent meanwhile. */
void spt_hook_put(lua_State *L, struct spt_sched *s, lua_Hook hook, int mask, int count);

#endif
