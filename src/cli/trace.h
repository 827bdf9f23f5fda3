/* SPDX-License-Identifier: MIT */
/* The outputs of the trace that the command line asks for. The work is done by a private Lua
 * module, septet.trace.cli. */
#ifndef SPT_CLI_TRACE_H
#define SPT_CLI_TRACE_H

#include <lua.h>
#include <stdbool.h>

/* Starts the outputs that the options ask for. Called with a struct trace_start. Raises a string if
 * one cannot be started. */
int trace_start(lua_State *L);

struct trace_start {
    char **argv; /* the words of the command line */
    int options; /* argv[1] .. argv[options - 1] are the options */
    int script;  /* argv[script] is the script, if it is not NULL */
};

/* Ends the outputs: writes what remains, and prints what fails. A further call does nothing. Runs
 * no task and needs no host. Returns false if something failed. */
bool trace_finish(lua_State *L);

#endif
