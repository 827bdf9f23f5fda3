/* SPDX-License-Identifier: MIT */
/* The command `septet ps`, which shows the tasks of another septet process. */
#ifndef SPT_CLI_PS_H
#define SPT_CLI_PS_H

/* Runs `septet ps [--json] [-a] PID`, given main's arguments. Returns the exit status. */
int ps_run(int argc, char **argv);

#endif
