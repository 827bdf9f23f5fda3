/* What the embedder and scripts are told: failures that reached nobody, warnings, deadlocks. */
#ifndef SPT_HOST_REPORT_H
#define SPT_HOST_REPORT_H

#include "host/state.h"

/* Calls on_error, if the embedder has set it. */
void spt_report_error(septet_host *h, const septet_error *error);

/* Calls on_warning, if the embedder has set it. `ud` is the host, as in the next three. */
void spt_report_warning(void *ud, const char *message);

/* Calls on_interrupted, if the embedder has set it. May run in a signal handler. */
void spt_report_felt(void *ud);

/* Reports the failure of a task that reached nobody: to task.on_unhandled, else by on_error. */
void spt_report_unhandled(void *ud, struct spt_task *t);

/* Makes the function that Lua's `warn` calls in a state of the host's own. Raises out of memory. */
void spt_report_open_warnings(lua_State *L, septet_host *h);

/* Warns of a deadlock: names the tasks and what each waits for, and a circle among them. */
void spt_report_deadlock(septet_host *h);

#endif
