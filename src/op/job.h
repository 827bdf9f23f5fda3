/* SPDX-License-Identifier: MIT */
/* The wait for a job in the thread pool. It knows no kind of job. */
#ifndef SPT_OP_JOB_H
#define SPT_OP_JOB_H

#include <lua.h>
#include <stdbool.h>

#include "core/op.h"
#include "loop/job.h"

struct spt_env;

/* Pushes the results of a job that is done and returns their number, or raises. Runs protected, on
 * an empty stack. The job is released afterwards if the wait owns it. */
typedef int spt_job_push(lua_State *L, struct spt_job *job);

struct spt_job_wait {
    septet_op op;
    struct spt_env *env;
    struct spt_job *job;
    spt_job_push *push;
    bool owns; /* the job is released with the operation */
};

int spt_job_wait_start(septet_op *op);
void spt_job_wait_cancel(septet_op *op);
int spt_job_wait_push(septet_op *op, lua_State *L);
void spt_job_wait_close(septet_op *op);
void spt_job_wait_describe(const septet_op *op, char *text, size_t size);

/* The operation type of a family of jobs, with the word by which traces name it. */
#define SPT_JOB_WAIT_TYPE(word)                                                                    \
    {                                                                                              \
        .name = (word), .size = sizeof(struct spt_job_wait), .flags = SEPTET_OP_EXTERNAL,          \
        .start = spt_job_wait_start, .cancel = spt_job_wait_cancel, .push = spt_job_wait_push,     \
        .close = spt_job_wait_close, .describe = spt_job_wait_describe,                            \
    }

/* Makes the wait before the job, because this raises: Usage if nothing can wait here or if the host
 * has ended, and out of memory. It may push one value, which must stay. */
struct spt_job_wait *spt_job_wait_new(lua_State *L, struct spt_env *env, const septet_op_type *type,
                                      spt_job_push *push);

/* Starts the job and waits until it is done. Returns what `push` does, as septet_op_await. Owns the
 * job, also if the wait is refused. After a cancellation, a function that is running continues, and
 * the job is released behind it. If `job` is NULL, raises out of memory. */
int spt_job_await(lua_State *L, struct spt_job_wait *wait, struct spt_job *job);

/* Like spt_job_await(), but the caller owns the job, and keeps it until the wait has ended. After a
 * cancellation the job may still be in the pool. */
int spt_job_await_borrowed(lua_State *L, struct spt_job_wait *wait, struct spt_job *job);

#endif
