/* SPDX-License-Identifier: MIT */
/* Loads the main tasks of the septet command: chunks, files, the script, modules. Each is a Lua
 * function that is called with one light userdata, and returns a task's function and its
 * arguments. */
#ifndef SPT_CLI_LOAD_H
#define SPT_CLI_LOAD_H

#include <lua.h>

struct chunk {
    const char *name;
    const char *source;
};

/* Loads a chunk. Called with a struct chunk. */
int load_chunk(lua_State *L);

/* Loads a file. Called with its path; NULL for stdin. */
int load_file(lua_State *L);

/* Loads the script and its arguments, which are those that `arg` then holds. Called with its
 * path. */
int load_script(lua_State *L);

/* Loads an option -l. Called with MOD or G=MOD. */
int load_module(lua_State *L);

struct command {
    const char *module; /* a private module: its function `run` gets the words */
    char **argv;        /* the words behind the name of the command, up to a NULL */
    int *status;        /* where its exit status is to be written */
};

/* Loads a command. Called with a struct command. */
int load_command(lua_State *L);

/* Pushes a function of a private module, which only the modules' own `require` finds. */
void load_private(lua_State *L, const char *module, const char *name);

/* Pushes a task function that calls `run` of a private module with the task's further arguments and
 * stores its result in *status. Pushes its first two arguments, too. */
void load_private_function(lua_State *L, const char *module, int *status);

#endif
