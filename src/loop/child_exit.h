/* SPDX-License-Identifier: MIT */
/* Ends the processes of all hosts when the program exits without freeing them, as a script's
 * os.exit(code) does. It knows neither hosts nor loops. Safe in any thread. */
#ifndef SPT_LOOP_CHILD_EXIT_H
#define SPT_LOOP_CHILD_EXIT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"

/* Embedded in what stands for a process. */
struct spt_child_exit {
    struct spt_link link;
    pid_t pid;
    bool group; /* the process leads a group, which ends, too */
};

/* Adds a process that runs. It gets SIGTERM at exit(). */
void spt_child_exit_add(struct spt_child_exit *child, pid_t pid, bool group);

/* Reaps a process, and takes it out if it has ended. Returns what waitpid() does with WNOHANG. */
pid_t spt_child_exit_reap(struct spt_child_exit *child, int *status);

/* Takes a process out. One that is not in is a no-op. */
void spt_child_exit_remove(struct spt_child_exit *child);

#endif
