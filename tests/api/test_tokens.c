/* SPDX-License-Identifier: MIT */
/* Operations that other threads complete by their tokens. */
#include "support/host_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "host/mailbox.h"
#include "host/state.h"
#include "septet/op.h"

#define WORKERS 3
#define JOBS    2000

/* The engine's worker threads, and the jobs that no one has begun. */
struct job {
    struct job *next;
    septet_token token;
};

struct engine {
    pthread_mutex_t lock;
    pthread_cond_t some;
    pthread_t threads[WORKERS];
    struct job *jobs;
    bool end;
    septet_mailbox *mailbox;
    atomic_int done, late;
    int started, cancelled, pushed; /* of the host's thread */
    struct reports reports;
};

static struct engine engine;

static void *work(void *ud)
{
    pthread_mutex_lock(&engine.lock);
    for (;;) {
        while (!engine.jobs && !engine.end)
            pthread_cond_wait(&engine.some, &engine.lock);
        struct job *job = engine.jobs;
        if (!job)
            break;
        engine.jobs = job->next;
        pthread_mutex_unlock(&engine.lock);
        int rc = septet_complete(engine.mailbox, job->token, 42);
        *(rc == SEPTET_OK ? &engine.done : &engine.late) += 1;
        assert_int_equal(septet_complete(engine.mailbox, job->token, 43), SEPTET_EGONE);
        free(job);
        pthread_mutex_lock(&engine.lock);
    }
    pthread_mutex_unlock(&engine.lock);
    return NULL;
}

struct work_op {
    septet_op op;
    septet_token token;
};

/* Only asks for a token; a test completes it. */
static int bare_start(septet_op *op)
{
    ((struct work_op *)op)->token = septet_op_token(op);
    assert_true(((struct work_op *)op)->token == septet_op_token(op));
    return ((struct work_op *)op)->token ? SEPTET_OK : SEPTET_ENOMEM;
}

static int work_start(septet_op *op)
{
    struct job *job = calloc(1, sizeof *job);
    job->token = septet_op_token(op);
    assert_true(job->token != 0);
    engine.started++;
    pthread_mutex_lock(&engine.lock);
    job->next = engine.jobs;
    engine.jobs = job;
    pthread_cond_signal(&engine.some);
    pthread_mutex_unlock(&engine.lock);
    return SEPTET_OK;
}

static void work_cancel(septet_op *op)
{
    engine.cancelled++;
}

static int work_push(septet_op *op, lua_State *L)
{
    engine.pushed++;
    lua_pushinteger(L, op->status);
    return 1;
}

static const septet_op_type work_type = {.name = "work",
                                         .size = sizeof(struct work_op),
                                         .flags = SEPTET_OP_EXTERNAL,
                                         .abi = SEPTET_OP_ABI,
                                         .start = work_start,
                                         .cancel = work_cancel,
                                         .push = work_push};

static const septet_op_type bare_type = {.name = "bare",
                                         .size = sizeof(struct work_op),
                                         .flags = SEPTET_OP_EXTERNAL,
                                         .abi = SEPTET_OP_ABI,
                                         .start = bare_start,
                                         .cancel = work_cancel,
                                         .push = work_push};

/* Not external, so it gets no token. */
static const septet_op_type inner_type = {.name = "inner",
                                          .size = sizeof(struct work_op),
                                          .abi = SEPTET_OP_ABI,
                                          .start = bare_start,
                                          .cancel = work_cancel,
                                          .push = work_push};

static septet_op *last;

static int l_work(lua_State *L)
{
    return septet_op_await(L, septet_op_new(L, &work_type));
}

static int l_bare(lua_State *L)
{
    return septet_op_await(L, last = septet_op_new(L, &bare_type));
}

static int l_inner(lua_State *L)
{
    return septet_op_await(L, septet_op_new(L, &inner_type));
}

static septet_host *open_host(void)
{
    septet_host *host = new_host(&engine.reports);
    lua_register(septet_lua(host), "work", l_work);
    lua_register(septet_lua(host), "bare", l_bare);
    lua_register(septet_lua(host), "inner", l_inner);
    engine.mailbox = septet_mailbox_new(host);
    engine.started = engine.cancelled = engine.pushed = 0;
    engine.done = engine.late = 0;
    return host;
}

static void start_workers(void)
{
    pthread_mutex_init(&engine.lock, NULL);
    pthread_cond_init(&engine.some, NULL);
    engine.end = false;
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&engine.threads[i], NULL, work, NULL), 0);
}

static void end_workers(void)
{
    pthread_mutex_lock(&engine.lock);
    engine.end = true;
    pthread_cond_broadcast(&engine.some);
    pthread_mutex_unlock(&engine.lock);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(engine.threads[i], NULL), 0);
    pthread_mutex_destroy(&engine.lock);
    pthread_cond_destroy(&engine.some);
}

static void close_host(septet_host *host)
{
    assert_int_equal(septet_free(host), SEPTET_OK);
    septet_mailbox_release(engine.mailbox);
    assert_silent(&engine.reports);
}

static void test_e_1_workers_complete_what_scripts_wait_for(void **state)
{
    septet_host *host = open_host();
    start_workers();
    assert_runs(host, PRELUDE "task.group(function(g) for i = 1, 40 do g:spawn(function() "
                              "for i = 1, 50 do assert(work() == 42) end end) end end)");
    end_workers();
    assert_int_equal(engine.pushed, JOBS);
    assert_int_equal(engine.done, JOBS);
    assert_int_equal(engine.late, 0);
    close_host(host);
}

static void test_e_1_workers_complete_while_scripts_cancel(void **state)
{
    septet_host *host = open_host();
    start_workers();
    assert_runs(host, PRELUDE
                "math.randomseed(1) task.group(function(g) for i = 1, 40 do g:spawn(function() "
                "for i = 1, 50 do local t = task.spawn(work) "
                "for i = 1, math.random(0, 3) do task.checkpoint() end "
                "t:cancel() pcall(t.await, t) end end) end end)");
    end_workers();
    assert_int_equal(engine.done + engine.late, engine.started);
    assert_int_equal(engine.pushed + engine.cancelled, engine.started);
    assert_true(engine.pushed <= engine.done);
    close_host(host);
}

static void test_e_1_a_host_ends_while_workers_complete(void **state)
{
    for (int round = 0; round < 20; round++) {
        septet_host *host = open_host();
        start_workers();
        assert_loads(host, PRELUDE "for i = 1, 200 do task.spawn(work) end task.sleep(1e6)");
        for (int i = 0; i < round; i++)
            septet_step(host, 10);
        assert_int_equal(septet_free(host), SEPTET_OK);
        end_workers();
        assert_int_equal(engine.pushed + engine.cancelled, engine.started);
        septet_mailbox_release(engine.mailbox);
    }
}

static septet_token token_of_last(void)
{
    return ((struct work_op *)last)->token;
}

static void test_tokens_are_good_for_one_completion(void **state)
{
    septet_host *host = open_host();
    assert_loads(host, "a = bare() b = bare()");
    assert_int_equal(septet_step(host, 1000), SEPTET_IDLE);
    septet_token first = token_of_last();
    assert_int_equal(septet_complete(engine.mailbox, first, 7), SEPTET_OK);
    assert_int_equal(septet_complete(engine.mailbox, first, 8), SEPTET_EGONE);
    assert_int_equal(septet_step(host, 1000), SEPTET_IDLE);
    septet_token second = token_of_last();
    assert_true(first != second);
    assert_int_equal(septet_complete(engine.mailbox, first, 8), SEPTET_EGONE);
    assert_int_equal(septet_complete(engine.mailbox, 0, 8), SEPTET_EGONE);
    assert_int_equal(septet_complete(engine.mailbox, second + 1, 8), SEPTET_EGONE);
    assert_int_equal(septet_complete(engine.mailbox, UINT64_MAX, 8), SEPTET_EGONE);
    assert_int_equal(septet_complete(engine.mailbox, second ^ (UINT64_C(1) << 32), 8),
                     SEPTET_EGONE);
    septet_op_done(last, 9); /* on the host's own thread */
    assert_int_equal(septet_complete(engine.mailbox, second, 8), SEPTET_EGONE);
    assert_int_equal(septet_step(host, 1000), SEPTET_DONE);
    assert_int_equal(global(septet_lua(host), "a"), 7);
    assert_int_equal(global(septet_lua(host), "b"), 9);
    close_host(host);
}

static void test_tokens_of_another_host_name_nothing(void **state)
{
    septet_host *other = open_host();
    septet_mailbox *mailbox = engine.mailbox;
    assert_loads(other, "bare()");
    septet_step(other, 1000);
    septet_token token = token_of_last();
    septet_host *host = open_host();
    assert_loads(host, "bare()");
    septet_step(host, 1000);
    assert_int_equal(septet_complete(engine.mailbox, token, 0), SEPTET_EGONE);
    assert_int_equal(septet_free(other), SEPTET_OK);
    assert_int_equal(septet_complete(mailbox, token, 0), SEPTET_EGONE);
    septet_mailbox_release(mailbox);
    close_host(host);
}

static void test_a_cancellation_after_a_completion_wins_once(void **state)
{
    septet_host *host = open_host();
    assert_loads(host, "bare()");
    assert_int_equal(septet_step(host, 1000), SEPTET_IDLE);
    septet_token token = token_of_last();
    assert_int_equal(septet_complete(engine.mailbox, token, 7), SEPTET_OK);
    septet_interrupt(host); /* acted upon before the message */
    assert_int_equal(septet_step(host, 1000), SEPTET_DONE);
    assert_int_equal(septet_complete(engine.mailbox, token, 7), SEPTET_EGONE);
    assert_int_equal(engine.cancelled, 1);
    assert_int_equal(engine.pushed, 0);
    close_host(host);
}

static void test_operations_that_are_not_external_get_no_token(void **state)
{
    septet_host *host = open_host();
    assert_runs(host, "assert(inner() == -1)");
    close_host(host);
}

/* The generations of a slot are never given out twice. */
static void test_a_slot_that_has_had_each_generation_is_left(void **state)
{
    septet_host *host = open_host();
    struct spt_slots *slots = &host->life.mailbox->slots;
    assert_loads(host, "for i = 1, 5 do bare() end");
    assert_int_equal(septet_step(host, 1000), SEPTET_IDLE);
    struct spt_slot *slot = &slots->chunks[0][(uint32_t)token_of_last() - 1];
    slot->uses = SPT_SLOT_USES_MAX;
    assert_int_equal(septet_complete(engine.mailbox, token_of_last(), 7), SEPTET_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(septet_step(host, 1000), SEPTET_IDLE);
        assert_int_not_equal((uint32_t)token_of_last(), slot->index);
        assert_int_equal(septet_complete(engine.mailbox, token_of_last(), 7), SEPTET_OK);
    }
    assert_int_equal(septet_step(host, 1000), SEPTET_DONE);
    close_host(host);
}

/* Many at once take slots of several chunks. */
static void test_each_of_many_tokens_names_its_own_operation(void **state)
{
    static septet_token tokens[300];
    septet_host *host = open_host();
    for (int i = 0; i < 300; i++) {
        assert_loads(host, "local v = bare() sum = (sum or 0) + v");
        assert_int_equal(septet_step(host, 1000), SEPTET_IDLE);
        tokens[i] = token_of_last();
    }
    for (int i = 0; i < 300; i++)
        assert_int_equal(septet_complete(engine.mailbox, tokens[i], i), SEPTET_OK);
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_int_equal(global(septet_lua(host), "sum"), 299 * 300 / 2);
    close_host(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_1_workers_complete_what_scripts_wait_for),
        cmocka_unit_test(test_e_1_workers_complete_while_scripts_cancel),
        cmocka_unit_test(test_e_1_a_host_ends_while_workers_complete),
        cmocka_unit_test(test_tokens_are_good_for_one_completion),
        cmocka_unit_test(test_tokens_of_another_host_name_nothing),
        cmocka_unit_test(test_a_cancellation_after_a_completion_wins_once),
        cmocka_unit_test(test_operations_that_are_not_external_get_no_token),
        cmocka_unit_test(test_each_of_many_tokens_names_its_own_operation),
        cmocka_unit_test(test_a_slot_that_has_had_each_generation_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
