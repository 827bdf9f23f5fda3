/* SPDX-License-Identifier: MIT */
/* The embedder's permission for processes: that it opts in, what it is asked about, and that no way
 * leads past it. */
#include <signal.h>

#include "support/permit_fixture.h"

static void use_standard(septet_config *config)
{
    config->profile = SEPTET_PROFILE_STANDARD;
    config->processes = 1;
}

static void ask(septet_config *config)
{
    use_standard(config);
    permit_ask(config);
}

static void use_trusted(septet_config *config)
{
    config->profile = SEPTET_PROFILE_TRUSTED;
}

static void opt_in(septet_config *config)
{
    use_trusted(config);
    config->processes = 1;
}

static int setup_standard(void **state)
{
    return permit_setup_with(state, use_standard);
}

static int setup_asking(void **state)
{
    return permit_setup_with(state, ask);
}

static int setup_trusted(void **state)
{
    return permit_setup_with(state, use_trusted);
}

static int setup_opted_in(void **state)
{
    return permit_setup_with(state, opt_in);
}

static void test_without_a_permit_no_process_runs(void **state)
{
    permit_run(state, TEST_SCRIPTS, "all_is_denied");
}

static void test_an_embedder_opts_in(void **state)
{
    permit_run(state, TEST_SCRIPTS, "all_is_denied");
}

PERMIT_SCRIPT(it_is_asked_about_the_command)

PERMIT_SCRIPT(it_is_asked_about_files_and_standard_input)

PERMIT_SCRIPT(the_folder_belongs_to_a_relative_path)

PERMIT_SCRIPT(no_way_leads_past_it)

/* An embedder that does not ignore SIGPIPE lives on. */
static void test_a_program_that_reads_nothing_raises_no_signal(void **state)
{
    signal(SIGPIPE, SIG_DFL);
    permit_run(state, TEST_SCRIPTS, "a_program_that_reads_nothing");
}

static void test_an_opted_in_host_ends_its_processes(void **state)
{
    struct host_fixture *f = *state;
    permit_run(state, TEST_SCRIPTS, "processes_in_the_background");
    pid_t pid = (pid_t)global(f->L, "pid");
    assert_int_equal(kill(pid, 0), 0);
    host_fixture_close(f);
    assert_int_equal(kill(pid, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PERMIT_TEST(without_a_permit_no_process_runs, setup_standard),
        PERMIT_TEST(an_embedder_opts_in, setup_trusted),
        PERMIT_TEST(it_is_asked_about_the_command, setup_asking),
        PERMIT_TEST(it_is_asked_about_files_and_standard_input, setup_asking),
        PERMIT_TEST(the_folder_belongs_to_a_relative_path, setup_asking),
        PERMIT_TEST(no_way_leads_past_it, setup_asking),
        PERMIT_TEST(a_program_that_reads_nothing_raises_no_signal, setup_opted_in),
        PERMIT_TEST(an_opted_in_host_ends_its_processes, setup_opted_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
