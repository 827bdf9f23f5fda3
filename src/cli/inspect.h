/* SPDX-License-Identifier: MIT */
/* Shows the tasks at any time: on stderr at QUIT (Ctrl-\) and USR1, and to `septet ps`. */
#ifndef SPT_CLI_INSPECT_H
#define SPT_CLI_INSPECT_H

#include <sys/types.h>

#include "septet/septet.h"

/* Catches the two signals from here on, until the process ends. Those that are ignored stay
 * ignored. */
void inspect_init(void);

/* Answers the question `value` of the process `pid` with a reason why there are no tasks. */
void inspect_decline(pid_t pid, int value, const char *reason);

/* Sets the name of the script, for the first line. Borrowed. */
void inspect_set_title(const char *title);

/* Begins and ends the run of a host by this thread. */
void inspect_begin(septet_host *host);
void inspect_end(void);

/* The host's on_inspect callback. */
void inspect_show(void *ud);

/* Requests a call of inspect_show(), which also delivers changes of the terminal. Safe in a signal
 * handler of any thread. */
void inspect_request(void);

/* Requests one line that says where the script is, printed before the host acts on an interrupt.
 * Safe in a signal handler of this thread. */
void inspect_where(septet_host *host);

/* Prints that no such line can be had because C code blocks, unless it was printed. Safe in a
 * signal handler. */
void inspect_where_blocked(void);

#endif
