/* SPDX-License-Identifier: MIT */
/* Runs a function in the thread pool, for work that would block the loop: system calls on files,
 * and long computations. The waiter may leave at any time; the function then continues in memory of
 * the job. A job knows neither tasks nor what its function does. */
#ifndef SPT_LOOP_JOB_H
#define SPT_LOOP_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct spt_job;
struct spt_loop;

/* Called on the owner's thread when the function has returned. May start the job again, or release
 * it. */
typedef void spt_job_fn(void *ud);

struct spt_job_type {
    /* Runs in a thread of the pool. Uses the memory of the job and nothing of the host's. If it
     * takes long, it returns early once spt_job_is_abandoned(). */
    void (*run)(struct spt_job *job);

    /* Frees the job with all that it owns. Runs on the owner's thread, once, while `run` does
     * not. */
    void (*release)(struct spt_job *job);

    /* Writes what the job works on ("'a.txt'") to the zeroed `text`. NULL: the name suffices. */
    void (*describe)(const struct spt_job *job, char *text, size_t size);
};

/* Embedded in the struct of each kind of job. Zeroed when new, but for `type`. */
struct spt_job {
    const struct spt_job_type *type;
    int error; /* libuv's error number, set by `run` or if it could not run; 0: none */
    /* set by `run`: what it began is half done, so that it runs once more even if the job is
     * released, abandoned by then */
    bool unfinished;

    struct spt_loop *loop; /* private, like all members below */
    spt_job_fn *on_done;   /* NULL: no waiter */
    void *ud;
    atomic_bool abandoned;
    bool in_pool;  /* `run` may be running */
    bool resumed;  /* it was started unfinished, so libuv may not take it back */
    bool released; /* spt_job_release was called; `type->release` is due */
    uv_work_t work;
};

/* Queues the job, which must not be in the pool, and calls fn(ud) once it is done. */
void spt_job_start(struct spt_job *job, struct spt_loop *loop, spt_job_fn *fn, void *ud);

/* Clears the callback. For the function, the job is abandoned. */
void spt_job_forget(struct spt_job *job);

/* Releases the job, at once or when its function has returned. A function that has not begun never
 * begins, if libuv can still take it back. An unfinished one runs again until it is finished. */
void spt_job_release(struct spt_job *job);

/* Returns true if nothing waits for the job any more. Safe in any thread. */
static inline bool spt_job_is_abandoned(const struct spt_job *job)
{
    return atomic_load_explicit(&job->abandoned, memory_order_relaxed);
}

#endif
