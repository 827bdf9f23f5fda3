/* SPDX-License-Identifier: MIT */
/* One of several processes that run the same script: what it has of its own. */
#ifndef SPT_CLI_WORKER_H
#define SPT_CLI_WORKER_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct options;

/* The command that all the workers run. */
struct worker_command {
    const struct options *options;
    int argc;
    char **argv;
    sigset_t blocked; /* signals that were blocked when the command began */
};

/* Becomes the worker of this number, right after fork(). Its output goes to two pipes, and it is
 * killed if `parent` ends. */
_Noreturn void worker_exec(const struct worker_command *command, int number, pid_t parent,
                           const int outputs[2]);

/* To be called before a script runs. If this process is a worker, sets it up as such. If it is the
 * only one that was asked for, it counts as worker 1. */
void worker_begin(const struct options *options);

/* Has math.random of a worker draw other numbers than those of the others. The libraries are open.
 */
void worker_seed(lua_State *L);

/* Like isatty(), but in a worker says what the output of the command is. */
bool worker_isatty(int fd);

#endif
