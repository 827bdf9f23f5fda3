/* SPDX-License-Identifier: MIT */
/* Lua's own warnings, which warn() sends. Those of the library come by a callback of the host. */
#ifndef SPT_CLI_WARNINGS_H
#define SPT_CLI_WARNINGS_H

#include <lua.h>
#include <stdbool.h>

struct warnings {
    bool on;   /* they are printed */
    bool open; /* a piece of a warning was printed; more will follow */
};

/* Prints the warnings of a state to standard error from now on. */
void warnings_receive(lua_State *L, struct warnings *warnings);

#endif
