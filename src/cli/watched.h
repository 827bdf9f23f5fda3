/* SPDX-License-Identifier: MIT */
/* The process that `septet watch` runs: it reports the Lua files that it loads, and ends with the
 * command. */
#ifndef SPT_CLI_WATCHED_H
#define SPT_CLI_WATCHED_H

#include <stdbool.h>

struct lua_State;

/* Has a SIGTERM end this process if the command ends, or has ended. Does nothing in a process that
 * the command has not started itself, such as a worker. */
void watched_follow(void);

/* Takes what the command has left in the environment, so that programs of the script do not get
 * it. */
void watched_take(void);

/* Returns true in such a process. May be called in a signal handler. */
bool watched_is(void);

/* Has the loads of a state reported if this is such a process. May raise an error. */
void watched_begin(struct lua_State *L);

#endif
