/* The registry of the C libraries for scripts. Opens each library into one table, "septet.core",
 * which only the modules in lua/septet/ can reach. */
#ifndef SPT_LUA_LIB_H
#define SPT_LUA_LIB_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

struct spt_env;
struct spt_sched;

/* The key of the table in the registry, and its name for the modules' own `require`. */
#define SPT_CORE "septet.core"

/* Opens the libraries, the embedded modules and the coroutine wrappers in the state of `L`. Raises
 * an error if out of memory. */
void spt_lib_open(lua_State *L, struct spt_env *env);

/* task.c: tasks for scripts. */
void spt_open_task(lua_State *L, struct spt_env *env);

/* locals.c: task-local values. */
void spt_open_locals(lua_State *L, struct spt_env *env);

/* trace.c: the event ring for scripts. */
void spt_open_trace(lua_State *L, struct spt_env *env);
void spt_open_errors(lua_State *L, struct spt_env *env);

/* Passes new records to the scripts' sinks. Runs on the main state, protected. Cheap if there is no
 * sink. */
void spt_trace_flush(struct spt_env *env);

/* json.c: decodes and encodes JSON text. */
void spt_open_json(lua_State *L, struct spt_env *env);

/* digest.c: digests of strings. */
void spt_open_digest(lua_State *L, struct spt_env *env);

/* text.c: converts bytes of any charset to UTF-8. */
void spt_open_text(lua_State *L, struct spt_env *env);

/* coroutine.c: replaces the functions of the global `coroutine` that have to handle waits. */
void spt_open_coroutine(lua_State *L, struct spt_env *env);

/* debug.c: replaces the functions of the global `debug` that would reveal Septet's own frames and
 * hooks. */
void spt_open_debug(lua_State *L, struct spt_env *env);

/* Replaces functions of a standard library that the state has. Each replacement gets the env as its
 * first upvalue, and as its second the standard function, as `open` creates it. */
void spt_replace_functions(lua_State *L, struct spt_env *env, lua_CFunction open,
                           const char *library, const luaL_Reg *replacements);

/* embed.c: makes the embedded modules known to `require`. Must be called last, because the modules
 * run with copies of the standard libraries as they are at that time. */
void spt_open_modules(lua_State *L, struct spt_env *env);

/* Returns the coroutine that is running in `s`, as far as the coroutine wrappers know; NULL between
 * tasks. */
lua_State *spt_innermost(const struct spt_sched *s);

#endif
