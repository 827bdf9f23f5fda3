/* SPDX-License-Identifier: MIT */
/* The list of the C libraries for scripts. Opens each library into one table, "septet.core",
 * which only the modules in lua/septet/ can reach. */
#ifndef SPT_LUA_LIB_H
#define SPT_LUA_LIB_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

struct spt_env;

/* The key of the table in the registry, and its name for the modules' own `require`. */
#define SPT_CORE "septet.core"

/* The key in the registry of the `require` of the modules themselves, which finds private ones. */
#define SPT_REQUIRE "septet.require"

/* The key in the registry of a function of the program's, if it has private modules of its own: it
 * returns the text of a module by its name, or nil. */
#define SPT_SOURCE "septet.source"

/* Opens the libraries, the embedded modules and the coroutine wrappers in the state of `L`. Raises
 * an error if out of memory. */
void spt_lib_open(lua_State *L, struct spt_env *env);

/* task.c: tasks for scripts. */
void spt_open_task(lua_State *L, struct spt_env *env);

/* locals.c: task-local values. */
void spt_open_locals(lua_State *L, struct spt_env *env);

/* trace.c, trace_file.c, trace_mark.c and trace_task.c: the trace ring for scripts, recordings of
 * it, what scripts add to it, and what its readers need. */
void spt_open_trace(lua_State *L, struct spt_env *env);
void spt_open_trace_file(lua_State *L, struct spt_env *env);
void spt_open_trace_mark(lua_State *L, struct spt_env *env);
void spt_open_trace_task(lua_State *L, struct spt_env *env);

/* trace_ps.c: the live tasks as text. */
void spt_open_trace_ps(lua_State *L, struct spt_env *env);

/* coverage.c: how often each line runs. */
void spt_open_coverage(lua_State *L, struct spt_env *env);

/* terminal.c: the terminals of the standard streams. */
void spt_open_terminal(lua_State *L, struct spt_env *env);

/* errors.c: error objects and tracebacks for scripts. */
void spt_open_errors(lua_State *L, struct spt_env *env);

/* json.c and json_encode.c: decode and encode JSON text. */
void spt_open_json(lua_State *L, struct spt_env *env);
void spt_open_json_encode(lua_State *L, struct spt_env *env);

/* hash.c and encoding.c: digests of strings, and texts for bytes. */
void spt_open_hash(lua_State *L, struct spt_env *env);
void spt_open_encoding(lua_State *L, struct spt_env *env);

/* csv.c and csv_line.c: read and write CSV. */
void spt_open_csv(lua_State *L, struct spt_env *env);
void spt_open_csv_line(lua_State *L, struct spt_env *env);

/* text.c: converts bytes of any charset to UTF-8. */
void spt_open_text(lua_State *L, struct spt_env *env);

/* list.c: recognises lists that need no further check. */
void spt_open_list(lua_State *L, struct spt_env *env);

/* coroutine.c: replaces the functions of the global `coroutine` that have to handle waits. */
void spt_open_coroutine(lua_State *L, struct spt_env *env);

/* debug.c: replaces the functions of the global `debug` that would reveal Septet's own frames and
 * hooks. */
void spt_open_debug(lua_State *L, struct spt_env *env);

/* Replaces `xpcall`, so that message handlers cannot escape the limits of the host. */
void spt_open_protect(lua_State *L, struct spt_env *env);

/* print.c: passes what scripts print to on_print, in a state that septet_new made. */
void spt_open_print(lua_State *L, struct spt_env *env);

/* load_module.c: lets `require` ask the embedder's load_module before it looks for files. */
void spt_open_load_module(lua_State *L, struct spt_env *env);

/* profile_package.c: what the modules have to know of the profile. */
void spt_open_profile(lua_State *L, struct spt_env *env);

/* embed.c: makes the embedded modules known to `require`. Must be called last, because the modules
 * run with copies of the standard libraries as they are at that time. */
void spt_open_modules(lua_State *L, struct spt_env *env);

#endif
