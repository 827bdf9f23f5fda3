/* SPDX-License-Identifier: MIT */
/* The command `septet ps`, which shows the tasks of another septet process. */
#ifndef SPT_CLI_PS_H
#define SPT_CLI_PS_H

#include <stdbool.h>

/* Returns true if the command line is that of `septet ps`, and does not ask for its help. */
bool ps_is_meant(int argc, char **argv);

/* Runs `septet ps [--json] [-a] PID`, given main's arguments. Returns the exit status. */
int ps_run(int argc, char **argv);

#endif
