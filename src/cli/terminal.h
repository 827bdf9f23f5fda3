/* SPDX-License-Identifier: MIT */
/* The terminal of the prompt: its mode, and whether a line that is being typed is shown on it. */
#ifndef SPT_CLI_TERMINAL_H
#define SPT_CLI_TERMINAL_H

#include <stdbool.h>

#define TERMINAL_ERASE_MAX 32 /* bytes of a sequence that erases a line, its NUL included */

/* Returns true if both standard input and output are terminals. */
bool terminal_is_used(void);

/* Sets the mode for typing: byte by byte, without an echo. Signals stay on, so that ^C reaches what
 * computes. Returns false if that fails. */
bool terminal_set_raw(void);

/* Gives the terminal the mode that it had. Safe in a signal handler. */
void terminal_restore(void);

/* Gives the terminal the mode that it had, until terminal_resume(), as the process is to be
 * stopped. Safe in a signal handler. */
void terminal_suspend(void);

/* Sets the mode for typing again if it was set. What was typed is not shown any more. Returns false
 * if nothing was set, as in the background. Safe in a signal handler. */
bool terminal_resume(void);

/* Ends the line on which the terminal has shown ^C for a key. Safe in a signal handler. */
void terminal_end_echo(void);

/* Records that a line that is being typed is shown, and what erases it; "": none is shown. */
void terminal_show(const char *sequence);

/* Returns true if the line is still shown: nothing else was printed since. */
bool terminal_is_shown(void);

/* Erases the line that is being typed, if it is shown, as something else is to be printed. It is
 * drawn again when the tasks run. On the host's thread. */
void terminal_before_output(void);

/* Opens /dev/null for closed standard descriptors. Otherwise the first thing to be opened, a poller
 * or a connection, would get the number, and be read or printed to. /dev/null is opened in the
 * wrong direction, so that it fails as a closed descriptor does. */
void terminal_fill_descriptors(void);

#endif
