/* SPDX-License-Identifier: MIT */
/* The embedder's callbacks: what a script may use, what it prints, and the modules that it
 * requires. Each runs protected on the state's main thread. An error that it raises becomes a
 * warning. */
#ifndef SPT_OP_GATE_H
#define SPT_OP_GATE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "septet/septet.h"

/* Subjects of files that scripts do not name. */
#define SPT_GATE_STDIN     "/dev/stdin"
#define SPT_GATE_TEMPORARY "/tmp/lua_XXXXXX"

struct spt_env;

/* Returns true if the embedder lets scripts use `subject`. `what` is one of SEPTET_PERMIT_... */
bool spt_gate_permits(struct spt_env *env, int what, const char *subject);

/* Raises IoError with the code "denied" unless the embedder lets scripts use the file `path`.
 * `verb` says what for: "open". */
void spt_gate_check(lua_State *L, struct spt_env *env, int what, const char *verb,
                    const char *path);

/* Passes a text to `on_print`, which is set. */
void spt_gate_print(struct spt_env *env, const char *text, size_t length);

/* Asks `load_module`, which is set, for the source of a module. Returns what it returns, or
 * SEPTET_ESCRIPT if it raised an error. */
int spt_gate_load_module(struct spt_env *env, const char *name, septet_source *source);

/* Calls `release` of a source, which is set. */
void spt_gate_release(struct spt_env *env, septet_source *source);

#endif
