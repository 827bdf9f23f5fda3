/* SPDX-License-Identifier: MIT */
/* Wakes the task of the prompt that draws the typed line again. It knows neither the terminal nor
 * what is drawn. */
#ifndef SPT_CLI_CHANGE_H
#define SPT_CLI_CHANGE_H

#include <lua.h>

enum {
    CHANGE_OUTPUT = 1,    /* something was printed over the line */
    CHANGE_SIZE = 2,      /* the terminal has another width */
    CHANGE_CONTINUED = 4, /* the process was stopped, and others have used the terminal */
};

/* Records a change. Safe in a signal handler. */
void change_note(int change);

/* Wakes the task that waits, if a change was noted. On the host's thread, in a callback or a
 * function that Lua has called. */
void change_deliver(void);

/* The function of Lua that waits for a change. Returns true if the process was continued. One task
 * may wait. */
int change_await(lua_State *L);

#endif
