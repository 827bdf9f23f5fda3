/* SPDX-License-Identifier: MIT */
/* Reports to the embedder and to scripts: unhandled failures, warnings, deadlocks. */
#ifndef SPT_HOST_REPORT_H
#define SPT_HOST_REPORT_H

#include "host/state.h"

struct spt_script;
struct spt_task;

/* Calls on_error, if the embedder has set it, with the error's value on top of the host's stack.
 * Pops the value. */
void spt_report_error(septet_host *h, septet_error *error);

/* Reports that a chunk could not be loaded, with the error on top of the stack, and pops it.
 * `script` is NULL for a chunk of the host's. */
void spt_report_load_error(septet_host *h, struct spt_script *script);

/* A failure, described. */
struct spt_report {
    septet_error error; /* its `value` is not set */
    char task[128];     /* name of the task */
};

/* Pushes the handle of an ended task, its error and the text of its traceback, nil for none. */
void spt_report_push(lua_State *L, const struct spt_task *t);

/* Describes the failure of a task, pushed by spt_report_push() on an empty stack. The texts are
 * valid as long as the stack holds what is on it after the call. */
void spt_report_describe(lua_State *L, const struct spt_task *t, struct spt_report *report);

/* Returns the kind of the error at `index`, as septet_error has it. The error keeps it alive. */
const char *spt_report_kind(lua_State *L, int index);

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
