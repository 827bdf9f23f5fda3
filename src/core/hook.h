/* Debug hooks. Lua has one for each coroutine; a script's and the host's limit on a turn share
 * it. */
#ifndef SPT_CORE_HOOK_H
#define SPT_CORE_HOOK_H

#include <lua.h>
#include <stdbool.h>

struct spt_sched;

#define SPT_HOOK_EVERYTHING (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

/* Sets the hook of `co` that a script asked for: the function on top of L, which it pops. No mask:
 * none. Raises out of memory; then nothing has changed. */
void spt_hook_set(lua_State *L, struct spt_sched *s, lua_State *co, int mask, int count);

/* Pushes the function of the hook that a script has set for `co`, and says what for. Returns false,
 * with nothing pushed, if there is none. */
bool spt_hook_push(lua_State *L, const struct spt_sched *s, lua_State *co, int *mask, int *count);

/* Gives `co` the hook that a script has set for L. Raises out of memory. */
void spt_hook_inherit(lua_State *L, struct spt_sched *s, lua_State *co);

/* Returns whether Lua's hook of `co` is of ours, or there is none. */
bool spt_hook_is_ours(const struct spt_sched *s, lua_State *co);

/* Gives L the hook that it is to have, after another one was put in its place. Allocates
 * nothing. */
void spt_hook_restore(lua_State *L, const struct spt_sched *s);

/* As lua_sethook, but leaves in place, or puts back, the hook of an interruption that came in the
 * meantime. */
void spt_hook_put(lua_State *L, const struct spt_sched *s, lua_Hook hook, int mask, int count);

#endif
