/* SPDX-License-Identifier: MIT */
/* Waits for a function in the thread pool. A cancellation drops the job's pointer to the operation,
 * and the job outlives it. */
#include "op/job.h"

#include <lauxlib.h>

#include "core/error.h"
#include "core/sched.h"
#include "loop/loop.h"
#include "op/env.h"

static void on_done(void *ud)
{
    septet_op_done(ud, SEPTET_OK);
}

int spt_job_wait_start(septet_op *op)
{
    struct spt_job_wait *wait = (struct spt_job_wait *)op;
    spt_job_start(wait->job, wait->env->loop, on_done, op);
    return SEPTET_OK;
}

void spt_job_wait_cancel(septet_op *op)
{
    spt_job_forget(((struct spt_job_wait *)op)->job);
}

int spt_job_wait_push(septet_op *op, lua_State *L)
{
    const struct spt_job_wait *wait = (const struct spt_job_wait *)op;
    return wait->push(L, wait->job);
}

void spt_job_wait_close(septet_op *op)
{
    const struct spt_job_wait *wait = (const struct spt_job_wait *)op;
    if (wait->owns)
        spt_job_release(wait->job);
}

void spt_job_wait_describe(const septet_op *op, char *text, size_t size)
{
    const struct spt_job *job = ((const struct spt_job_wait *)op)->job;
    if (job->type->describe)
        job->type->describe(job, text, size);
}

struct spt_job_wait *spt_job_wait_new(lua_State *L, struct spt_env *env, const septet_op_type *type,
                                      spt_job_push *push)
{
    if (!env->loop || spt_loop_is_lost(env->loop))
        spt_error_usage(L, "the host is closed");
    luaL_checkstack(L, 12, NULL);
    struct spt_job_wait *wait = (struct spt_job_wait *)spt_op_new(L, env->sched, type);
    wait->env = env;
    wait->push = push;
    return wait;
}

static int await(lua_State *L, struct spt_job_wait *wait, struct spt_job *job, bool owns)
{
    if (!job)
        return spt_error_no_memory(L);
    wait->job = job;
    wait->owns = owns;
    if (!spt_op_check_cancelled(wait->env->sched))
        return spt_op_wait(L, &wait->op, false);
    if (owns)
        spt_job_release(job);
    return spt_op_await_cancelled(L, &wait->op);
}

int spt_job_await(lua_State *L, struct spt_job_wait *wait, struct spt_job *job)
{
    return await(L, wait, job, true);
}

int spt_job_await_borrowed(lua_State *L, struct spt_job_wait *wait, struct spt_job *job)
{
    return await(L, wait, job, false);
}
