/* The signals of the command. */
#ifndef SPT_CLI_SIGNALS_H
#define SPT_CLI_SIGNALS_H

#include "septet/septet.h"

/* Makes the timers by which an interruption that no task feels ends the process. */
void signals_init(void);

/* Makes a broken pipe and a file that is too large errors of the write. Standard output that nobody
 * reads ends the process. */
void signals_catch_output(void);

/* Like septet_run(), with INT and TERM turned into septet_interrupt(). */
int signals_run(septet_host *host);

/* Returns the number of the signal that came in the last run, or 0. */
int signals_caught(void);

/* The host's on_interrupted: a task has felt the interruption. */
void signals_felt(void *ud);

/* Ends the process by the signal unless it has ended by then, as a script is that does not feel
 * it. */
void signals_limit_the_end(int number);

#endif
