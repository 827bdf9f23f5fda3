/* SPDX-License-Identifier: MIT */
/* Functions in threads, as an embedder sees them: its permission, what they can reach with each
 * profile, its limit of memory, and its host's end under them. */
#include "support/host_fixture.h"
#include "support/test_file.h"

static char asked[256]; /* the subjects, with a semicolon behind each */

static int permit_threads(void *ud, int what, const char *subject)
{
    size_t len = strlen(asked);
    if (what != SEPTET_PERMIT_RUN)
        return 0;
    snprintf(asked + len, sizeof asked - len, "%s;", subject);
    return strcmp(subject, "task.thread") == 0;
}

static void on_print(void *ud, const char *text, size_t length)
{
}

static void use_standard(septet_config *config)
{
    config->profile = SEPTET_PROFILE_STANDARD;
    asked[0] = '\0';
}

static void ask(septet_config *config)
{
    use_standard(config);
    config->permit = permit_threads;
}

static void limit_memory(septet_config *config)
{
    ask(config);
    config->limits.memory = 8 * 1024 * 1024;
}

static void use_trusted(septet_config *config)
{
    config->profile = SEPTET_PROFILE_TRUSTED;
}

static void print_elsewhere(septet_config *config)
{
    use_trusted(config);
    config->on_print = on_print;
}

static int setup_standard(void **state)
{
    return host_fixture_setup_with(state, use_standard);
}

static int setup_asking(void **state)
{
    return host_fixture_setup_with(state, ask);
}

static int setup_limited(void **state)
{
    return host_fixture_setup_with(state, limit_memory);
}

static int setup_trusted(void **state)
{
    return host_fixture_setup_with(state, use_trusted);
}

static int setup_printing(void **state)
{
    return host_fixture_setup_with(state, print_elsewhere);
}

static void spawn(void **state, const char *name)
{
    struct host_fixture *f = *state;
    test_file_push(f->L, TEST_SCRIPTS, name);
    assert_int_equal(septet_spawn(f->host, name, 0), SEPTET_OK);
}

static void run(void **state, const char *name)
{
    struct host_fixture *f = *state;
    spawn(state, name);
    int status = septet_run(f->host);
    assert_silent(&f->reports);
    assert_int_equal(status, SEPTET_OK);
}

static void test_without_a_permit_no_thread_runs(void **state)
{
    run(state, "it_is_denied");
}

static void test_the_embedder_is_asked(void **state)
{
    run(state, "it_runs");
    assert_string_equal(asked, "task.thread;");
}

static void test_the_standard_profile_reaches_nothing_outside(void **state)
{
    run(state, "it_only_computes");
}

static void test_no_thread_has_more_memory_than_the_host(void **state)
{
    run(state, "its_memory_is_limited");
}

static void test_a_thread_does_not_print_past_the_embedder(void **state)
{
    run(state, "it_does_not_print");
}

static void test_many_run_beside_each_other(void **state)
{
    run(state, "many_run");
}

/* The functions would never end by themselves. */
static void test_a_host_ends_while_some_run(void **state)
{
    struct host_fixture *f = *state;
    spawn(state, "some_spin");
    while (global(f->L, "ready") == 0)
        septet_step(f->host, 1);
    host_fixture_close(f);
}

static void test_a_host_ends_while_many_wait(void **state)
{
    struct host_fixture *f = *state;
    spawn(state, "many_wait");
    for (int i = 0; i < 3; i++)
        septet_step(f->host, 100);
    host_fixture_close(f);
}

#define SETUP_TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, host_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETUP_TEST(test_without_a_permit_no_thread_runs, setup_standard),
        SETUP_TEST(test_the_embedder_is_asked, setup_asking),
        SETUP_TEST(test_the_standard_profile_reaches_nothing_outside, setup_asking),
        SETUP_TEST(test_no_thread_has_more_memory_than_the_host, setup_limited),
        SETUP_TEST(test_a_thread_does_not_print_past_the_embedder, setup_printing),
        SETUP_TEST(test_many_run_beside_each_other, setup_trusted),
        SETUP_TEST(test_a_host_ends_while_some_run, setup_trusted),
        SETUP_TEST(test_a_host_ends_while_many_wait, setup_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
