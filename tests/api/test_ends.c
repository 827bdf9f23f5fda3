/* SPDX-License-Identifier: MIT */
/* Hosts that come and go by thousands, that end in callbacks, in other threads and after fork. */
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "septet/op.h"
#include "support/host_fixture.h"

/* --- many hosts --- */

/* in ten rounds; SEPTET_TEST_HOSTS sets another number */
enum { HOSTS = 1000 / STRIDE, ROUNDS = 10 };

/* Opens the i-th host, with one of many configs, runs a bit of a script, and frees the host. */
static void open_and_free(unsigned i)
{
    static const char *const scripts[] = {
        "task.sleep(0)",
        "task.spawn(task.sleep, 1000) task.sleep(1000)",
        "task.spawn(http.get, origin .. '/stall') task.sleep(1000)",
        "kept = http.session() task.sleep(1000)",
    };
    struct reports reports;
    uv_loop_t loop;
    bool foreign_loop = i % 3 == 0, foreign_state = i % 5 == 0;
    char source[256];
    septet_config config = config_for(&reports);
    config.clock = (int)(i % 3);
    config.profile = i % 2 ? SEPTET_PROFILE_TRUSTED : SEPTET_PROFILE_STANDARD;
    config.trace_records = i % 7 ? 64 : 0;
    config.lua = foreign_state ? luaL_newstate() : NULL;
    if (foreign_loop)
        assert_int_equal(uv_loop_init(config.loop = &loop), 0);
    if (foreign_state)
        luaL_openlibs(config.lua);
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    set_origin(septet_lua(host));
    snprintf(source, sizeof source, "%s%s", PRELUDE, scripts[i % 4]);
    if (i % 11) /* some never run anything */
        assert_int_equal(septet_load_string(host, "=script", source), SEPTET_OK);
    for (int steps = 0; steps < 3; steps++)
        assert_in_range(septet_step(host, 10), SEPTET_DONE, SEPTET_MORE);
    bool state_first = foreign_state && i % 2;
    if (state_first)
        lua_close(config.lua);
    assert_int_equal(septet_free(host), SEPTET_OK);
    if (foreign_state && !state_first)
        lua_close(config.lua);
    if (foreign_loop) {
        assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(uv_loop_close(&loop), 0);
    }
    assert_int_equal(reports.errors, 0);
}

static size_t bytes_in_use(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void test_fault_61_thousands_of_hosts_leave_nothing(void **state)
{
    const char *hosts = getenv("SEPTET_TEST_HOSTS");
    unsigned n = hosts ? (unsigned)atoi(hosts) : HOSTS, i = 0;
    size_t bytes = 0;
    int descriptors = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned end = (round + 1) * (n / ROUNDS); i < end; i++)
            open_and_free(i);
        if (round == 0) {
            bytes = bytes_in_use();
            descriptors = count_descriptors();
        }
    }
    assert_int_equal(count_descriptors(), descriptors);
    assert_in_range(bytes_in_use(), 0, bytes + bytes / 20 + 65536);
}

/* --- after fork, in another thread --- */

/* What each call that runs or frees a host returns. */
struct refusals {
    septet_host *host;
    int run, step, advance, free;
};

static void call_all(struct refusals *r)
{
    r->run = septet_run(r->host);
    r->step = septet_step(r->host, 0);
    r->advance = septet_advance(r->host, 1);
    r->free = septet_free(r->host);
}

static bool all_are(const struct refusals *r, int status)
{
    return r->run == status && r->step == status && r->advance == status && r->free == status;
}

static int in_child(septet_host *host)
{
    struct refusals r = {.host = host};
    call_all(&r);
    return all_are(&r, SEPTET_ELOOP) ? 0 : 1;
}

static void test_fault_61_a_child_process_cannot_use_the_host(void **state)
{
    struct host_fixture *f = *state;
    int status = -1;
    assert_loads(f->host, PRELUDE "task.spawn(task.sleep, 0.01)"
                                  " r = http.get(origin .. '/delay/0.05') n = r.status");
    for (int i = 0; i < 20; i++)
        assert_in_range(septet_step(f->host, 100), SEPTET_IDLE, SEPTET_MORE);
    pid_t child = fork();
    if (child == 0)
        _exit(in_child(f->host));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(septet_run(f->host), SEPTET_OK);
    assert_int_equal(global(f->L, "n"), 200);
    assert_silent(&f->reports);
}

static int l_fork(lua_State *L)
{
    pid_t child = fork();
    int status = -1;
    if (child == 0)
        _exit(in_child(septet_host_of(L)));
    waitpid(child, &status, 0);
    lua_pushboolean(L, WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 1;
}

static void test_fault_61_a_child_process_of_a_task(void **state)
{
    struct host_fixture *f = *state;
    lua_register(f->L, "fork", l_fork);
    assert_runs(f->host, PRELUDE "local r = task.spawn(http.get, origin .. '/delay/0.05')"
                                 " task.sleep(0.01) assert(fork())"
                                 " assert(r:await().status == 200)");
    assert_silent(&f->reports);
}

static void *call_all_in_thread(void *arg)
{
    call_all(arg);
    return NULL;
}

static void test_fault_62_another_thread_is_refused(void **state)
{
    struct host_fixture *f = *state;
    struct refusals r = {.host = f->host};
    pthread_t thread;
    assert_loads(f->host, PRELUDE "task.sleep(0.001)");
    assert_int_equal(pthread_create(&thread, NULL, call_all_in_thread, &r), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(all_are(&r, SEPTET_EINVAL));
    assert_int_equal(septet_run(f->host), SEPTET_OK);
}

static void *run_hosts(void *arg)
{
    for (unsigned i = 1; i < 40; i++)
        open_and_free(i);
    return NULL;
}

static void test_fault_61_hosts_of_two_threads(void **state)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_hosts, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* --- in callbacks --- */

/* Counts the calls that are refused inside the host, and those that are not. */
static struct inside {
    septet_host *host;
    unsigned busy, wrong;
} inside;

static void try_all(void)
{
    struct refusals r = {.host = inside.host};
    call_all(&r);
    if (all_are(&r, SEPTET_EBUSY))
        inside.busy++;
    else
        inside.wrong++;
}

static int op_start(septet_op *op)
{
    try_all();
    if (op->ref)
        septet_op_done(op, SEPTET_OK);
    return SEPTET_OK;
}

static void op_cancel(septet_op *op)
{
    try_all();
}

static void op_close(septet_op *op)
{
    try_all();
}

static int op_push(septet_op *op, lua_State *L)
{
    try_all();
    return 0;
}

static void op_describe(const septet_op *op, char *text, size_t size)
{
    try_all();
}

static const septet_op_type op_type = {.name = "op",
                                       .size = sizeof(septet_op),
                                       .abi = SEPTET_OP_ABI,
                                       .start = op_start,
                                       .cancel = op_cancel,
                                       .push = op_push,
                                       .close = op_close,
                                       .describe = op_describe};

/* wait_op(done): an operation that completes in its start, or never. */
static int l_wait_op(lua_State *L)
{
    septet_op *op = septet_op_new(L, &op_type);
    op->ref = (uint32_t)lua_toboolean(L, 1);
    return septet_op_await(L, op);
}

static int l_try_all(lua_State *L)
{
    try_all();
    return 0;
}

static void on_error(void *ud, const septet_error *error)
{
    try_all();
}

static void on_warning(void *ud, const char *message)
{
    try_all();
}

static void on_interrupted(void *ud)
{
    try_all();
}

static void on_print(void *ud, const char *text, size_t length)
{
    try_all();
}

static int load_module(void *ud, const char *name, septet_source *source)
{
    try_all();
    return 0;
}

static int permit(void *ud, int what, const char *subject)
{
    if (what != SEPTET_PERMIT_CONNECT) /* it may come from within libcurl */
        try_all();
    return 1;
}

static void on_result(void *ud, const septet_result *result)
{
    try_all();
}

static void open_inside(int profile)
{
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error;
    config.on_warning = on_warning;
    config.on_interrupted = on_interrupted;
    config.on_print = on_print;
    config.load_module = load_module;
    config.permit = permit;
    config.slow_ms = 0;
    config.profile = profile;
    inside = (struct inside){.host = septet_new(&config, NULL)};
    assert_non_null(inside.host);
    lua_register(septet_lua(inside.host), "wait_op", l_wait_op);
    lua_register(septet_lua(inside.host), "try_all", l_try_all);
    set_origin(septet_lua(inside.host));
}

/* Runs a script that calls back. */
static void check_inside(const char *source, int expected)
{
    unsigned busy = inside.busy;
    int status = run_script(inside.host, source);
    if (status != expected)
        fail_msg("%s: %s", septet_strerror(status), source);
    if (inside.busy == busy)
        fail_msg("nothing was called by %s", source);
    assert_int_equal(inside.wrong, 0);
}

static void test_fault_62_gates_cannot_run_or_free_the_host(void **state)
{
    open_inside(SEPTET_PROFILE_STANDARD);
    check_inside("print 'x'", SEPTET_OK);
    check_inside("pcall(require, 'no.such.module')", SEPTET_OK);
    check_inside("io.open('/dev/null')", SEPTET_OK);
    assert_int_equal(septet_free(inside.host), SEPTET_OK);
}

static void test_fault_62_callbacks_cannot_run_or_free_the_host(void **state)
{
    open_inside(SEPTET_PROFILE_TRUSTED);
    check_inside("error 'x'", SEPTET_ESCRIPT);
    check_inside("warn '@on' warn 'x'", SEPTET_OK);
    check_inside("print 'x'", SEPTET_OK);
    check_inside("pcall(require, 'no.such.module')", SEPTET_OK);
    check_inside("wait_op(true)", SEPTET_OK);
    check_inside(PRELUDE "task.move_on_after(0.001, wait_op)", SEPTET_OK);
    check_inside(PRELUDE "task.spawn(wait_op) task.spawn(task.checkpoint)", SEPTET_OK);
    check_inside("wait_op()", SEPTET_EDEADLOCK);
    check_inside("setmetatable({}, {__gc = try_all}) collectgarbage()", SEPTET_OK);
    check_inside("require 'septet.trace'.subscribe(try_all)", SEPTET_OK);
    check_inside("local _ <close> = setmetatable({}, {__close = try_all}) error 'x'",
                 SEPTET_ESCRIPT);
    septet_interrupt(inside.host);
    check_inside("wait_op()", SEPTET_EINTERRUPTED);
    lua_State *L = septet_lua(inside.host);
    assert_int_equal(luaL_loadstring(L, "return 1"), LUA_OK);
    assert_int_equal(septet_call(inside.host, NULL, "call", 0, on_result, NULL), SEPTET_OK);
    check_inside("", SEPTET_OK);
    assert_loads(inside.host, "keep = setmetatable({}, {__gc = try_all})"
                              " local _ <close> = setmetatable({}, {__close = try_all}) wait_op()");
    while (septet_step(inside.host, 1000) == SEPTET_MORE)
        ;
    unsigned busy = inside.busy;
    septet_host *host = inside.host;
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_true(inside.busy >= busy + 3); /* cancel, close, __close */
    assert_int_equal(inside.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_61_thousands_of_hosts_leave_nothing),
        TEST(test_fault_61_a_child_process_cannot_use_the_host),
        TEST(test_fault_61_a_child_process_of_a_task),
        TEST(test_fault_62_another_thread_is_refused),
        cmocka_unit_test(test_fault_61_hosts_of_two_threads),
        cmocka_unit_test(test_fault_62_gates_cannot_run_or_free_the_host),
        cmocka_unit_test(test_fault_62_callbacks_cannot_run_or_free_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
