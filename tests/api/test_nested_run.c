/* SPDX-License-Identifier: MIT */
/* Code inside a host that runs the host's loop. */
#include <stdlib.h>
#include <uv.h>

#include "septet/op.h"
#include "support/host_fixture.h"

/* A host whose scripts have run_loop(mode), on the test's loop or on its own. */
struct nested {
    septet_host *host;
    struct reports reports;
    uv_loop_t loop;
    uv_timer_t timer; /* keeps the loop alive */
    int runs;
};

static int l_run_loop(lua_State *L)
{
    static const char *const names[] = {"default", "once", "nowait", NULL};
    static const uv_run_mode modes[] = {UV_RUN_DEFAULT, UV_RUN_ONCE, UV_RUN_NOWAIT};
    uv_run(septet_loop(septet_host_of(L)), modes[luaL_checkoption(L, 1, NULL, names)]);
    return 0;
}

static void open_on(struct nested *n, uv_loop_t *loop, const septet_config *config)
{
    septet_config copy = *config;
    copy.loop = loop;
    copy.profile = SEPTET_PROFILE_TRUSTED;
    n->host = septet_new(&copy, NULL);
    assert_non_null(n->host);
    set_origin(septet_lua(n->host));
    lua_register(septet_lua(n->host), "run_loop", l_run_loop);
    uv_timer_init(septet_loop(n->host), &n->timer);
    uv_timer_start(&n->timer, (uv_timer_cb)abort, 1000000, 0);
}

static void end(struct nested *n, uv_loop_t *loop)
{
    if (loop)
        uv_close((uv_handle_t *)&n->timer, NULL);
    assert_int_equal(septet_free(n->host), SEPTET_OK);
    if (!loop)
        return;
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(loop), 0);
}

/* Runs the script of that name on each kind of loop. */
static void check(const char *name)
{
    for (int foreign = 0; foreign < 2; foreign++) {
        struct nested n = {0};
        septet_config config = config_for(&n.reports);
        uv_loop_t *loop = foreign ? &n.loop : NULL;
        if (loop)
            assert_int_equal(uv_loop_init(loop), 0);
        open_on(&n, loop, &config);
        assert_spawns(n.host, name);
        int status = septet_run(n.host);
        if (status != SEPTET_OK)
            fail_msg("%s: %s%s", septet_strerror(status), n.reports.message, n.reports.traceback);
        assert_true(global(septet_lua(n.host), "n") > 0);
        assert_silent(&n.reports);
        end(&n, loop);
    }
}

static void test_e_9_uv_run_in_a_task(void **state)
{
    check("task");
}

static void test_e_9_uv_run_in_each_mode(void **state)
{
    check("each_mode");
}

static void test_e_9_uv_run_in_coroutines_and_groups(void **state)
{
    check("coroutines");
}

static void test_e_9_uv_run_in_metamethods_and_callbacks(void **state)
{
    check("metamethods");
}

static void test_e_9_uv_run_beside_requests(void **state)
{
    check("request");
}

static void test_e_9_uv_run_in_a_finalizer(void **state)
{
    check("finalizer");
}

static void test_e_9_uv_run_beside_a_debug_hook(void **state)
{
    check("debug_hook");
}

static void test_e_9_uv_run_in_a_trace_hook(void **state)
{
    struct nested n = {0};
    septet_config config = config_for(&n.reports);
    open_on(&n, NULL, &config);
    assert_spawns(n.host, "trace_hook");
    assert_int_equal(septet_run(n.host), SEPTET_OK);
    assert_int_equal(global(septet_lua(n.host), "n"), 1);
    assert_int_equal(n.reports.warnings, 1);
    assert_text(n.reports.warned, "a trace subscriber failed: ");
    assert_text(n.reports.warned, "cannot run the loop of the host");
    end(&n, NULL);
}

static void test_e_9_uv_run_while_the_host_ends(void **state)
{
    struct nested n = {0};
    septet_config config = config_for(&n.reports);
    open_on(&n, NULL, &config);
    assert_spawns(n.host, "unwinding");
    while (septet_step(n.host, 1000) == SEPTET_MORE)
        ;
    end(&n, NULL);
    assert_string_equal(n.reports.warned, "refused\n");
}

static void run_on_error(void *ud, const septet_error *error)
{
    struct nested *n = ud;
    n->runs++;
    assert_int_equal(septet_run(n->host), SEPTET_EBUSY);
    uv_run(septet_loop(n->host), UV_RUN_DEFAULT);
}

static void keep_warning(void *ud, const char *message)
{
    struct nested *n = ud;
    n->reports.warnings++;
    snprintf(n->reports.warned, sizeof n->reports.warned, "%s", message);
}

static void test_e_9_uv_run_in_on_error(void **state)
{
    struct nested n = {0};
    septet_config config;
    septet_config_init(&config);
    config.ud = &n;
    config.on_error = run_on_error;
    config.on_warning = keep_warning;
    open_on(&n, NULL, &config);
    assert_spawns(n.host, "failing");
    assert_int_equal(septet_run(n.host), SEPTET_ESCRIPT);
    assert_int_equal(n.runs, 1);
    assert_int_equal(n.reports.warnings, 1);
    assert_text(n.reports.warned, "on_error failed: ");
    assert_text(n.reports.warned, "cannot run the loop of the host");
    end(&n, NULL);
}

static void run_on_warning(void *ud, const char *message)
{
    struct nested *n = ud;
    n->runs++;
    uv_run(septet_loop(n->host), UV_RUN_DEFAULT);
}

static void test_e_9_uv_run_in_on_warning(void **state)
{
    struct nested n = {0};
    septet_config config = config_for(&n.reports);
    config.ud = &n;
    config.on_error = NULL;
    config.on_warning = run_on_warning;
    open_on(&n, NULL, &config);
    assert_spawns(n.host, "warning");
    assert_int_equal(septet_run(n.host), SEPTET_OK);
    assert_int_equal(n.runs, 1);
    /* between two tasks, no code can get an error */
    assert_int_equal(run_script(n.host, "local t = require 'septet.task'.current() "
                                        "require 'septet.task'.spawn(t.await, t):await()"),
                     SEPTET_EDEADLOCK);
    assert_true(n.runs > 1);
    assert_int_equal(run_script(n.host, "require 'septet.task'.sleep(0.001)"), SEPTET_OK);
    end(&n, NULL);
}

/* Runs the loop when it is asked first, which is about the host of the URL. */
static int run_and_permit(void *ud, int what, const char *subject)
{
    struct nested *n = ud;
    if (n->runs++ == 0)
        uv_run(septet_loop(n->host), UV_RUN_NOWAIT);
    return 1;
}

static void test_e_9_uv_run_in_the_call_of_a_task_without_a_coroutine(void **state)
{
    struct nested n = {0};
    septet_config config = config_for(&n.reports);
    config.ud = &n;
    config.on_error = NULL;
    config.on_warning = NULL;
    config.permit = run_and_permit;
    open_on(&n, NULL, &config);
    int status = run_script(n.host, "local http = require 'septet.http'\n"
                                    "local session <close> = http.session {}\n"
                                    "local task = require 'septet.task'\n"
                                    "local url = origin .. '/bytes/10'\n"
                                    "local t = task.spawn(session.get, session, url)\n"
                                    "local ok, e = pcall(t.await, t)\n"
                                    "n = ok and 1 or tostring(e):find('the loop of the host') "
                                    "and 2 or error(e)\n"
                                    "assert(session:get(url).status == 200)");
    assert_int_equal(status, SEPTET_OK);
    assert_true(n.runs > 1);
    assert_true(global(septet_lua(n.host), "n") > 0);
    end(&n, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_9_uv_run_in_a_task),
        cmocka_unit_test(test_e_9_uv_run_in_each_mode),
        cmocka_unit_test(test_e_9_uv_run_in_coroutines_and_groups),
        cmocka_unit_test(test_e_9_uv_run_in_metamethods_and_callbacks),
        cmocka_unit_test(test_e_9_uv_run_beside_requests),
        cmocka_unit_test(test_e_9_uv_run_in_a_finalizer),
        cmocka_unit_test(test_e_9_uv_run_beside_a_debug_hook),
        cmocka_unit_test(test_e_9_uv_run_in_a_trace_hook),
        cmocka_unit_test(test_e_9_uv_run_while_the_host_ends),
        cmocka_unit_test(test_e_9_uv_run_in_on_error),
        cmocka_unit_test(test_e_9_uv_run_in_on_warning),
        cmocka_unit_test(test_e_9_uv_run_in_the_call_of_a_task_without_a_coroutine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
