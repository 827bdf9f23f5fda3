/* The register of what scripts get from C: opens every library into one table, "septet.core", which
 * only the modules in lua/septet/ reach. */
#ifndef SPT_LUA_LIB_H
#define SPT_LUA_LIB_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

struct spt_env;
struct spt_sched;

/* The table's name in the registry, and for the modules' own `require`. */
#define SPT_CORE "septet.core"

/* Opens the libraries, the embedded modules and the coroutine wrappers in the state of `L`. Raises
 * out of memory. */
void spt_lib_open(lua_State *L, struct spt_env *env);

/* task.c: tasks as scripts see them. */
void spt_open_task(lua_State *L, struct spt_env *env);

/* locals.c: the values that a task has for itself. */
void spt_open_locals(lua_State *L, struct spt_env *env);

/* trace.c: the event ring as scripts see it. */
void spt_open_trace(lua_State *L, struct spt_env *env);
void spt_open_errors(lua_State *L, struct spt_env *env);

/* Gives new records to the sinks of scripts, on the main state, protected. Cheap when there is
 * none. */
void spt_trace_flush(struct spt_env *env);

/* json.c: JSON text to values and back. */
void spt_open_json(lua_State *L, struct spt_env *env);

/* digest.c: digests of strings. */
void spt_open_digest(lua_State *L, struct spt_env *env);

/* text.c: bytes of any charset as UTF-8. */
void spt_open_text(lua_State *L, struct spt_env *env);

/* coroutine.c: replaces the functions of the global `coroutine` that must know of waits. */
void spt_open_coroutine(lua_State *L, struct spt_env *env);

/* debug.c: replaces the functions of the global `debug` that would show what is ours. */
void spt_open_debug(lua_State *L, struct spt_env *env);

/* Replaces functions of a standard library, where the state has it. Each gets the env as its first
 * upvalue, and Lua's own, as `open` makes it, as its second. */
void spt_replace_functions(lua_State *L, struct spt_env *env, lua_CFunction open,
                           const char *library, const luaL_Reg *replacements);

/* embed.c: makes the embedded modules known to `require`; to be called last, as they run with
 * copies of what the standard libraries hold by then. */
void spt_open_modules(lua_State *L, struct spt_env *env);

/* The coroutine that runs right now in `s`, as far as our wrappers know; NULL between tasks. */
lua_State *spt_innermost(const struct spt_sched *s);

#endif
