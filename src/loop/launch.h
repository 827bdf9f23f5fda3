/* SPDX-License-Identifier: MIT */
/* Starts a program as a child process. The caller's thread waits until the program runs or has
 * failed to. It knows neither libuv nor what becomes of the process. */
#ifndef SPT_LOOP_LAUNCH_H
#define SPT_LOOP_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a standard descriptor of the child is, if it is no descriptor of the caller's. */
enum {
    SPT_LAUNCH_NULL = -1,    /* the null device */
    SPT_LAUNCH_INHERIT = -2, /* the host's own; the null device if the host has none */
    SPT_LAUNCH_FILE = -3,    /* the file in `files`, emptied or created */
    SPT_LAUNCH_STDOUT = -4,  /* of stderr: what stdout is */
};

/* What to run. The lists end with NULL. */
struct spt_launch_plan {
    const char *const *argv; /* the program, which has a slash or is in PATH, and its arguments */
    const char *const *env;  /* "NAME=value", set in the environment, or "NAME", removed from it */
    bool clears_env;         /* begins with an empty environment, not with the host's */
    const char *cwd;         /* folder in which the program starts; NULL for the host's */
    const char *files[3];
    int fds[3]; /* SPT_LAUNCH_..., or descriptors above 2, which the launch closes */
    bool group; /* the process leads a process group of its own */
};

struct spt_launch {
    pid_t pid;         /* the process; 0: none */
    int error;         /* the system's number of the error; 0: none */
    const char *blame; /* the folder or the file that the error is of; NULL: the program */

    struct spt_launch_plan plan; /* private, like all members below; its texts are in `block` */
    const char *path;            /* the host's PATH */
    void *block;
};

/* Copies a plan with the environment. Owns the descriptors of the plan from then on. Returns false
 * if out of memory; they are closed then. */
bool spt_launch_init(struct spt_launch *launch, const struct spt_launch_plan *plan);

/* Starts the program, in any thread, and closes the descriptors. Sets `pid`, or `error`. The child
 * has no other descriptor, no signal that is blocked or ignored, and the limits of the host. */
void spt_launch_run(struct spt_launch *launch);

/* Closes the descriptors, unless they are, and frees the copies. The process runs on. */
void spt_launch_release(struct spt_launch *launch);

#endif
