/* SPDX-License-Identifier: MIT */
/* The embedder's permission for processes: that it opts in, what it is asked about, and that no way
 * leads past it. */
#include <signal.h>

#include "support/host_fixture.h"
#include "support/test_file.h"

static struct {
    char asked[1024]; /* the kinds and subjects, with a semicolon behind each */
    char allowed[256];
} permit;

static int on_permit(void *ud, int what, const char *subject)
{
    static const char *const names[] = {[SEPTET_PERMIT_READ] = "read",
                                        [SEPTET_PERMIT_WRITE] = "write",
                                        [SEPTET_PERMIT_RUN] = "run"};
    size_t len = strlen(permit.asked);
    if (what != SEPTET_PERMIT_RUN && what != SEPTET_PERMIT_WRITE && what != SEPTET_PERMIT_READ)
        return 0;
    snprintf(permit.asked + len, sizeof permit.asked - len, "%s %s;", names[what], subject);
    return strcmp(subject, permit.allowed) == 0;
}

static int l_asked(lua_State *L)
{
    lua_pushstring(L, permit.asked);
    permit.asked[0] = '\0';
    return 1;
}

static int l_allow(lua_State *L)
{
    snprintf(permit.allowed, sizeof permit.allowed, "%s", luaL_checkstring(L, 1));
    return 0;
}

static void use_standard(septet_config *config)
{
    config->profile = SEPTET_PROFILE_STANDARD;
    config->processes = 1;
}

static void ask(septet_config *config)
{
    use_standard(config);
    config->permit = on_permit;
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

static int setup_with(void **state, void (*configure)(septet_config *))
{
    memset(&permit, 0, sizeof permit);
    if (host_fixture_setup_with(state, configure) != 0)
        return -1;
    lua_State *L = ((struct host_fixture *)*state)->L;
    lua_register(L, "asked", l_asked);
    lua_register(L, "allow", l_allow);
    return 0;
}

static int setup_standard(void **state)
{
    return setup_with(state, use_standard);
}

static int setup_asking(void **state)
{
    return setup_with(state, ask);
}

static int setup_trusted(void **state)
{
    return setup_with(state, use_trusted);
}

static int setup_opted_in(void **state)
{
    return setup_with(state, opt_in);
}

static void run(void **state, const char *name)
{
    struct host_fixture *f = *state;
    test_file_push(f->L, TEST_SCRIPTS, name);
    assert_int_equal(septet_spawn(f->host, name, 0), SEPTET_OK);
    int status = septet_run(f->host);
    assert_silent(&f->reports);
    assert_int_equal(status, SEPTET_OK);
}

static void test_without_a_permit_no_process_runs(void **state)
{
    run(state, "all_is_denied");
}

static void test_an_embedder_opts_in(void **state)
{
    run(state, "all_is_denied");
}

static void test_it_is_asked_about_the_command(void **state)
{
    run(state, "it_is_asked_about_the_command");
}

static void test_it_is_asked_about_files_and_standard_input(void **state)
{
    run(state, "it_is_asked_about_files_and_standard_input");
}

static void test_the_folder_belongs_to_a_relative_path(void **state)
{
    run(state, "the_folder_belongs_to_a_relative_path");
}

static void test_no_way_leads_past_it(void **state)
{
    run(state, "no_way_leads_past_it");
}

/* An embedder that does not ignore SIGPIPE lives on. */
static void test_a_program_that_reads_nothing_raises_no_signal(void **state)
{
    signal(SIGPIPE, SIG_DFL);
    run(state, "a_program_that_reads_nothing");
}

static void test_an_opted_in_host_ends_its_processes(void **state)
{
    struct host_fixture *f = *state;
    run(state, "processes_in_the_background");
    pid_t pid = (pid_t)global(f->L, "pid");
    assert_int_equal(kill(pid, 0), 0);
    host_fixture_close(f);
    assert_int_equal(kill(pid, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_permit_no_process_runs, setup_standard,
                                        host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_an_embedder_opts_in, setup_trusted,
                                        host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_it_is_asked_about_the_command, setup_asking,
                                        host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_it_is_asked_about_files_and_standard_input,
                                        setup_asking, host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_folder_belongs_to_a_relative_path, setup_asking,
                                        host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_no_way_leads_past_it, setup_asking,
                                        host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_program_that_reads_nothing_raises_no_signal,
                                        setup_opted_in, host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_an_opted_in_host_ends_its_processes, setup_opted_in,
                                        host_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
