/* SPDX-License-Identifier: MIT */
/* Signals that concern the terminal of the prompt, and neither end nor interrupt what runs. */
#ifndef SPT_CLI_TERMINAL_SIGNALS_H
#define SPT_CLI_TERMINAL_SIGNALS_H

/* Catches, from here on, what stops and continues the process, what tells of another width, and
 * what would end the process without giving the terminal its mode. */
void terminal_signals_catch(void);

#endif
