/* SPDX-License-Identifier: MIT */
/* Queues a job with libuv and counts it on the loop, which is not freed while `run` may use it. */
#include "loop/job.h"

#include <assert.h>

#include "base/list.h"
#include "loop/loop.h"

static void on_work(uv_work_t *work)
{
    struct spt_job *job = SPT_OF(work, struct spt_job, work);
    job->type->run(job);
}

static void on_worked(uv_work_t *work, int status);

static void queue(struct spt_job *job)
{
    job->in_pool = true;
    spt_loop_handle_opened(job->loop);
    uv_queue_work(spt_loop_uv(job->loop), &job->work, on_work, on_worked);
}

/* Releases a job that is not in the pool. */
static void end(struct spt_job *job)
{
    while (job->unfinished && spt_loop_is_lost(job->loop))
        job->type->run(job);
    if (job->unfinished)
        queue(job);
    else
        job->type->release(job);
}

static void on_worked(uv_work_t *work, int status)
{
    struct spt_job *job = SPT_OF(work, struct spt_job, work);
    struct spt_loop *loop = job->loop;
    spt_job_fn *fn = job->on_done;
    job->in_pool = false;
    job->on_done = NULL;
    if (status != 0)
        job->error = status;
    if (job->released)
        end(job);
    else if (fn)
        fn(job->ud);
    spt_loop_handle_closed(loop);
}

void spt_job_start(struct spt_job *job, struct spt_loop *loop, spt_job_fn *fn, void *ud)
{
    assert(!job->in_pool && !job->released);
    job->loop = loop;
    job->on_done = fn;
    job->ud = ud;
    job->error = 0;
    job->resumed = job->unfinished;
    atomic_store_explicit(&job->abandoned, false, memory_order_relaxed);
    queue(job);
}

void spt_job_forget(struct spt_job *job)
{
    job->on_done = NULL;
    atomic_store_explicit(&job->abandoned, true, memory_order_relaxed);
}

void spt_job_release(struct spt_job *job)
{
    spt_job_forget(job);
    job->released = true;
    if (!job->in_pool)
        end(job);
    else if (!job->resumed)
        uv_cancel((uv_req_t *)&job->work); /* on_worked is called in any case */
}
