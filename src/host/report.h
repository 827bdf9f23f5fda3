/* SPDX-License-Identifier: MIT */
/* Reports to the embedder and to scripts: unhandled failures, warnings, deadlocks. */
#ifndef SPT_HOST_REPORT_H
#define SPT_HOST_REPORT_H

#include "host/state.h"

/* Calls on_error if the embedder has set it. */
void spt_report_error(septet_host *h, const septet_error *error);

/* Calls on_warning if the embedder has set it. `ud` is the host, here and in the next two. */
void spt_report_warning(void *ud, const char *message);

/* Calls on_interrupted if the embedder has set it. May run in a signal handler. */
void spt_report_interrupt_delivered(void *ud);

/* Reports an unhandled failure of a task to task.on_unhandled, or to on_error if that is not
 * set. */
void spt_report_unhandled(void *ud, struct spt_task *t);

/* Installs the function that Lua's `warn` calls in a state that the host created. Raises an error
 * if out of memory. */
void spt_report_open_warnings(lua_State *L, septet_host *h);

/* Warns of a deadlock: names the tasks, what each waits for, and a circle among them. */
void spt_report_deadlock(septet_host *h);

#endif
