/* SPDX-License-Identifier: MIT */
/* Jobs: a function runs in the pool, and its memory lasts until it has returned, whoever left. */
#include <semaphore.h>
#include <stdlib.h>

#include "core/timer.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "support/cmocka.h"

#define THREADS 4 /* of libuv's pool */

static unsigned told, released;
static sem_t gate; /* a function that waits passes it */

struct thing {
    struct spt_job job;
    bool waits, ran;
    bool *saw_abandoned;
};

static void run(struct spt_job *job)
{
    struct thing *thing = (struct thing *)job;
    if (thing->waits)
        sem_wait(&gate);
    thing->ran = true;
    if (thing->saw_abandoned)
        *thing->saw_abandoned = spt_job_is_abandoned(job);
    job->error = thing->waits ? 0 : UV_EIO;
}

static void release(struct spt_job *job)
{
    released++;
    free(job);
}

static const struct spt_job_type type = {.run = run, .release = release};

static struct thing *new_thing(bool waits)
{
    struct thing *thing = calloc(1, sizeof *thing);
    assert_non_null(thing);
    thing->job.type = &type;
    thing->waits = waits;
    return thing;
}

static uint64_t drain(void *ud)
{
    return SPT_NEVER;
}

static void on_done(void *ud)
{
    told++;
    assert_ptr_equal(ud, &told);
}

static struct spt_loop *new_loop(void)
{
    struct spt_loop *loop;
    told = released = 0;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(spt_loop_new(&loop, NULL, drain, NULL), SEPTET_OK);
    return loop;
}

static void run_until_told(struct spt_loop *loop, unsigned times)
{
    while (told < times)
        spt_loop_run_once(loop, true);
}

static void test_runs(void **state)
{
    struct spt_loop *loop = new_loop();
    struct thing *thing = new_thing(false);
    spt_job_start(&thing->job, loop, on_done, &told);
    run_until_told(loop, 1);
    assert_true(thing->ran);
    assert_int_equal(thing->job.error, UV_EIO);
    thing->waits = true;
    sem_post(&gate);
    spt_job_start(&thing->job, loop, on_done, &told);
    run_until_told(loop, 2);
    assert_int_equal(thing->job.error, 0);
    assert_int_equal(released, 0);
    spt_job_release(&thing->job);
    assert_int_equal(released, 1);
    spt_loop_free(loop);
}

static void test_released_while_it_runs(void **state)
{
    struct spt_loop *loop = new_loop();
    struct thing *thing = new_thing(true);
    bool saw = false;
    thing->saw_abandoned = &saw;
    spt_job_start(&thing->job, loop, on_done, &told);
    while (uv_cancel((uv_req_t *)&thing->job.work) == 0) { /* it has not begun: begin again */
        spt_loop_run_once(loop, true);
        spt_job_start(&thing->job, loop, on_done, &told);
    }
    told = 0;
    spt_job_release(&thing->job);
    assert_int_equal(released, 0);
    sem_post(&gate);
    spt_loop_free(loop); /* waits for it */
    assert_int_equal(released, 1);
    assert_int_equal(told, 0);
    assert_true(saw);
}

static void test_forgotten(void **state)
{
    struct spt_loop *loop = new_loop();
    struct thing *thing = new_thing(true), *next = new_thing(false);
    spt_job_start(&thing->job, loop, on_done, &told);
    spt_job_forget(&thing->job);
    sem_post(&gate);
    while (thing->job.in_pool)
        spt_loop_run_once(loop, true);
    assert_int_equal(told, 0);
    spt_job_start(&next->job, loop, on_done, &told);
    run_until_told(loop, 1);
    assert_false(spt_job_is_abandoned(&next->job));
    spt_job_release(&thing->job);
    spt_job_release(&next->job);
    assert_int_equal(released, 2);
    spt_loop_free(loop);
}

/* All threads of the pool are busy, so the job is taken back. */
static void test_never_begins(void **state)
{
    struct spt_loop *loop = new_loop();
    struct thing *busy[THREADS], *thing = new_thing(false);
    bool ran = false;
    for (int i = 0; i < THREADS; i++) {
        busy[i] = new_thing(true);
        spt_job_start(&busy[i]->job, loop, on_done, &told);
    }
    thing->saw_abandoned = &ran;
    spt_job_start(&thing->job, loop, on_done, &told);
    spt_job_release(&thing->job);
    while (released == 0)
        spt_loop_run_once(loop, true);
    assert_false(ran);
    for (int i = 0; i < THREADS; i++)
        sem_post(&gate);
    run_until_told(loop, THREADS);
    for (int i = 0; i < THREADS; i++)
        spt_job_release(&busy[i]->job);
    spt_loop_free(loop);
    assert_int_equal(released, THREADS + 1);
}

/* A function that needs three runs, or undoes what it has begun. */
struct steps {
    struct spt_job job;
    unsigned runs;
    bool undone;
};

static struct {
    unsigned runs;
    bool undone;
} steps_seen;

static void run_step(struct spt_job *job)
{
    struct steps *steps = (struct steps *)job;
    steps->runs++;
    steps->undone = spt_job_is_abandoned(job);
    job->unfinished = steps->runs < 3 && !steps->undone;
}

static void release_steps(struct spt_job *job)
{
    const struct steps *steps = (const struct steps *)job;
    steps_seen.runs = steps->runs;
    steps_seen.undone = steps->undone;
    release(job);
}

static const struct spt_job_type steps_type = {.run = run_step, .release = release_steps};

static struct steps *new_steps(void)
{
    struct steps *steps = calloc(1, sizeof *steps);
    assert_non_null(steps);
    steps->job.type = &steps_type;
    return steps;
}

static void test_released_unfinished(void **state)
{
    struct spt_loop *loop = new_loop();
    struct steps *between = new_steps(), *within = new_steps(), *whole = new_steps();
    spt_job_start(&between->job, loop, on_done, &told);
    run_until_told(loop, 1);
    assert_true(between->job.unfinished);
    spt_job_release(&between->job);
    assert_int_equal(released, 0);
    spt_job_start(&within->job, loop, on_done, &told);
    run_until_told(loop, 2);
    assert_int_equal(released, 1);
    assert_true(steps_seen.undone && steps_seen.runs == 2);
    spt_job_start(&within->job, loop, on_done, &told);
    spt_job_release(&within->job); /* libuv may not take it back */
    for (unsigned n = 3; n <= 5; n++) {
        spt_job_start(&whole->job, loop, on_done, &told);
        run_until_told(loop, n);
    }
    spt_loop_free(loop); /* waits for the undoing */
    assert_int_equal(released, 2);
    assert_true(steps_seen.undone || steps_seen.runs == 3);
    spt_job_release(&whole->job);
    assert_int_equal(released, 3);
    assert_true(!steps_seen.undone && steps_seen.runs == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_released_while_it_runs),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_never_begins),
        cmocka_unit_test(test_released_unfinished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
