/* SPDX-License-Identifier: MIT */
/* A piece of work on files, done in steps in the thread pool. A step takes so long, so that many
 * pieces of work share few threads. It knows neither the loop nor its waiter. */
#ifndef SPT_FS_CALL_H
#define SPT_FS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "loop/job.h"

#define SPT_FS_SLICE_NS (50 * UINT64_C(1000000)) /* what a step takes, unless the disk is slow */

enum { SPT_FS_MORE = 1 };

struct spt_fs_call {
    struct spt_job job; /* its function is spt_fs_call_run() */
    /* Does the next step, in the thread pool. Returns SPT_FS_MORE if there are more, 0 at the end,
     * or a negative errno. Once the job is abandoned, it undoes what is half done, and ends. */
    int (*step)(struct spt_fs_call *call);
    int result;       /* of the last step */
    bool untaken;     /* what it made is undone by one more step, unless the caller clears this */
    const char *verb; /* what failed, for messages: "open" */
    const char *path; /* the path of the caller that failed, owned by the call's struct */
    char *fault;      /* owned; the path that failed, if it is none of the caller's */
};

/* Does one step: the function of the job. */
void spt_fs_call_run(struct spt_job *job);

/* Writes the path: the description of the job. */
void spt_fs_call_describe(const struct spt_job *job, char *text, size_t size);

/* The type of the jobs of calls that `release_fn` releases. */
#define SPT_FS_JOB_TYPE(release_fn)                                                                \
    {                                                                                              \
        .run = spt_fs_call_run, .release = (release_fn), .describe = spt_fs_call_describe          \
    }

static inline bool spt_fs_call_is_abandoned(const struct spt_fs_call *call)
{
    return spt_job_is_abandoned(&call->job);
}

/* Returns the time of a clock that never jumps, in nanoseconds. */
static inline uint64_t spt_fs_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Notes the path at which the call failed: `name` in the folder with the path `where`. Without
 * memory, none is noted. */
void spt_fs_call_blame(struct spt_fs_call *call, const char *where, size_t where_len,
                       const char *name);

/* Opens the folder that `path` lies in, and sets `base` to the last name of the path, to be freed.
 * Slashes at the end are left out; `slashes` is set if there are any. Returns the descriptor, which
 * is for looking up names only, or a negative errno: -EINVAL if the last name is none of a file. */
int spt_fs_open_parent(const char *path, char **base, bool *slashes);

/* Repeats a system call that a signal interrupts, and yields its result or a negative errno. */
#define SPT_FS_RETRY(call)                                                                         \
    ({                                                                                             \
        long spt_n_;                                                                               \
        do {                                                                                       \
            spt_n_ = (long)(call);                                                                 \
        } while (spt_n_ < 0 && errno == EINTR);                                                    \
        spt_n_ < 0 ? -(long)errno : spt_n_;                                                        \
    })

#endif
