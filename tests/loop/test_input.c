/* SPDX-License-Identifier: MIT */
/* Input: a read in the thread pool outlives its owner, and the loop outlives the read. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/timer.h"
#include "loop/input.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "support/cmocka.h"

static unsigned told;

static uint64_t drain(void *ud)
{
    return SPT_NEVER;
}

static void on_told(void *ud)
{
    told++;
}

static struct spt_loop *new_loop(uv_loop_t *foreign)
{
    struct spt_loop *loop = NULL;
    assert_int_equal(spt_loop_new(&loop, foreign, drain, NULL), SEPTET_OK);
    told = 0;
    return loop;
}

static struct spt_input *open_input(struct spt_loop *loop, const char *path)
{
    struct spt_input *in = NULL;
    assert_int_equal(spt_input_open(&in, loop, path, on_told, NULL), SEPTET_OK);
    return in;
}

/* Turns the loop until what is awaited has been reported. */
static void turn(struct spt_loop *loop)
{
    unsigned before = told;
    while (told == before)
        spt_loop_run_once(loop, true);
    assert_int_equal(told, before + 1);
}

static void test_the_end_waits_for_an_open_in_the_pool(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    spt_incoming_free(&open_input(loop, "/dev/zero")->in);
    spt_loop_free(loop);
    assert_int_equal(told, 0);
}

static void test_the_end_waits_for_a_read_in_the_pool(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_input *in = open_input(loop, "/dev/zero");
    turn(loop);
    assert_true(spt_incoming_wait(&in->in, on_told, NULL));
    spt_incoming_free(&in->in);
    spt_loop_free(loop);
    assert_int_equal(told, 1);
}

static void test_on_a_foreign_loop_a_read_ends_later(void **state)
{
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    struct spt_loop *loop = new_loop(&uv);
    struct spt_input *in = open_input(loop, "/dev/zero");
    turn(loop);
    assert_true(spt_incoming_wait(&in->in, on_told, NULL));
    spt_incoming_free(&in->in);
    spt_loop_free(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    assert_int_equal(told, 1);
}

static void test_a_forgotten_read_is_kept(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_input *in = open_input(loop, "/dev/zero");
    turn(loop);
    assert_true(spt_incoming_wait(&in->in, on_told, NULL));
    spt_incoming_forget(&in->in);
    assert_false(spt_incoming_waits(&in->in));
    while (spt_incoming_len(&in->in) == 0)
        spt_loop_run_once(loop, true);
    assert_int_equal(told, 1);
    assert_int_equal(spt_incoming_newline(&in->in), spt_incoming_len(&in->in));
    spt_incoming_free(&in->in);
    spt_loop_free(loop);
}

/* A waiting reader is a reason for a foreign loop to go on; one that is forgotten is none. */
static void test_a_fifo_keeps_a_foreign_loop_while_somebody_waits(void **state)
{
    char folder[] = "/tmp/septet-input-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    struct spt_loop *loop = new_loop(&uv);
    struct spt_input *in = open_input(loop, path);
    turn(loop);
    assert_int_equal(in->in.error, 0);
    assert_false(spt_incoming_try(&in->in)); /* without a writer: not at its end */
    assert_true(spt_incoming_wait(&in->in, on_told, NULL));
    assert_true(uv_loop_alive(&uv));
    spt_incoming_forget(&in->in);
    assert_false(uv_loop_alive(&uv));
    spt_incoming_free(&in->in);
    spt_loop_free(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    unlink(path);
    rmdir(folder);
}

/* Both see the same bytes in one turn; the second finds none, and must not block. */
static void test_who_comes_late_to_a_pipe_waits_on(void **state)
{
    int ends[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    struct spt_loop *loop = new_loop(NULL);
    struct spt_input *in[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(spt_input_stdin(&in[i], loop), SEPTET_OK);
        assert_int_equal(in[i]->in.error, 0);
        assert_true(spt_incoming_wait(&in[i]->in, on_told, NULL));
    }
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
    alarm(60); /* where it blocks */
    assert_int_equal(write(ends[1], "x", 1), 1);
    turn(loop);
    spt_loop_run_once(loop, false);
    assert_int_equal(told, 1);
    assert_int_equal(spt_incoming_len(&in[0]->in) + spt_incoming_len(&in[1]->in), 1);
    assert_true(spt_incoming_waits(&in[0]->in) != spt_incoming_waits(&in[1]->in));
    alarm(0);
    spt_incoming_free(&in[0]->in);
    spt_incoming_free(&in[1]->in);
    spt_loop_free(loop);
    close(ends[0]);
    close(ends[1]);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_waits_for_an_open_in_the_pool),
        cmocka_unit_test(test_the_end_waits_for_a_read_in_the_pool),
        cmocka_unit_test(test_on_a_foreign_loop_a_read_ends_later),
        cmocka_unit_test(test_a_forgotten_read_is_kept),
        cmocka_unit_test(test_a_fifo_keeps_a_foreign_loop_while_somebody_waits),
        cmocka_unit_test(test_who_comes_late_to_a_pipe_waits_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
