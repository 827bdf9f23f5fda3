/* SPDX-License-Identifier: MIT */
/* Runs the command line in several processes, the workers: passes signals on to them, their output
 * to its own, and returns the worst of their statuses. */
#ifndef SPT_CLI_WORKERS_H
#define SPT_CLI_WORKERS_H

struct options;

/* Runs options->workers processes of this program with the same command line, and waits for their
 * end. Returns the exit status of the command. Ends the process by a signal if that ended them. */
int workers_run(const struct options *options, int argc, char **argv);

#endif
