/* SPDX-License-Identifier: MIT */
/* Signal handling of the septet command. */
#ifndef SPT_CLI_SIGNALS_H
#define SPT_CLI_SIGNALS_H

#include <stdbool.h>

#include "septet/septet.h"

/* Creates the timers that end the process if an interruption reaches no task. */
void signals_init(void);

/* Turns a broken pipe and a file that is too large into errors of the write. If the reader of
 * standard output is gone, the process ends by SIGPIPE. */
void signals_catch_output(void);

/* From now on, if the reader of standard output is gone while a host runs, that interrupts the
 * script. signals_caught() is then SIGPIPE. */
void signals_interrupt_by_pipe(void);

/* Like septet_run(), but turns INT and TERM, and HUP at the prompt, into septet_interrupt(). */
int signals_run(septet_host *host);

/* From now on, an interrupt does not print where the script was: it is a command of ours. */
void signals_keep_quiet(void);

/* Returns the number of the signal caught in the last run, or 0. */
int signals_caught(void);

/* The host's on_interrupted callback. Stops the timers, because the interruption has
 * reached a task. */
void signals_delivered(void *ud);

/* Sets the status with which the timers end the process, because the script has asked to exit with
 * it. */
void signals_end_with(int status);

/* Ends the process by the signal unless it ends within the grace period, which is that of an
 * interruption that reaches no task. */
void signals_limit_the_end(int number);

/* Begins the prompt, before its run. INT then ends what it runs in the foreground, and not the run.
 * TERM and HUP end the prompt, and the process if it does not end within the grace period. */
void signals_begin_prompt(void);

/* Ends that: the signals act as in a script. Does nothing if it has ended. */
void signals_end_prompt(void);

/* Returns the signal by which the prompt is to end, or 0. */
int signals_leave_signal(void);

#endif
