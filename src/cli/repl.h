/* SPDX-License-Identifier: MIT */
/* Starts the prompt, which is in lua/septet/repl/. */
#ifndef SPT_CLI_REPL_H
#define SPT_CLI_REPL_H

#include <lua.h>

struct options;

struct repl {
    const struct options *options;
    int argc;
    int status; /* of the prompt; -1 until it has ended by itself */
};

/* Pushes the task function of the prompt and its arguments. From then on, an interrupt ends what
 * the prompt runs. Called with a struct repl. */
int load_repl(lua_State *L);

/* Gives the terminal its mode back. Returns the status of the prompt, or else `status`. */
int repl_end(const struct repl *repl, int status);

#endif
