/* SPDX-License-Identifier: MIT */
/* Recordings of an embedder's host: it ends, or its process forks, while one is open. */
#include <sys/wait.h>
#include <unistd.h>

#include "support/host_fixture.h"

static char path[64];

static int setup(void **state)
{
    snprintf(path, sizeof path, "/tmp/septet-recording-%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    unlink(path);
    return 0;
}

static septet_host *new_recording_host(struct reports *reports, septet_config *config)
{
    septet_host *host = septet_new(config, NULL);
    assert_non_null(host);
    lua_pushstring(septet_lua(host), path);
    lua_setglobal(septet_lua(host), "path");
    return host;
}

/* Checks that the recording has the marks from 1 to `n`, once each. */
static void check_marks(int n)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    septet_host *host = new_recording_host(&reports, &config);
    lua_pushinteger(septet_lua(host), n);
    lua_setglobal(septet_lua(host), "n");
    assert_runs(host, "require 'septet.trace' "
                      "local decode = debug.getregistry()['septet.modules']['septet.trace.decode'] "
                      "local bytes = io.open(path, 'rb'):read 'a' "
                      "local _, at = assert(decode.head(bytes)) "
                      "local last = 0 "
                      "while at <= #bytes do at = assert(decode.block(bytes, at, function(e) "
                      "  if e.kind == 'mark' then "
                      "    assert(e.value == last + 1, e.value) last = last + 1 "
                      "  end "
                      "end)) end "
                      "assert(last == n, last)");
    assert_silent(&reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
    unlink(path);
}

static const char records[] = "local trace = require 'septet.trace' recording = trace.record(path) "
                              "function marks(a, b) "
                              "  for i = a, b do trace.mark('m', i) end "
                              "end "
                              "marks(1, 10)";

static void test_the_end_of_the_host_ends_its_recordings(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    septet_host *host = new_recording_host(&reports, &config);
    assert_runs(host, records);
    assert_runs(host, "marks(11, 20) require 'septet.task'.background(function() "
                      "  local _ <close> = setmetatable({}, { __close = function() "
                      "    marks(21, 21) end }) "
                      "  require 'septet.task'.sleep(1000) end)");
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_silent(&reports);
    check_marks(21);
}

/* A child of the process has the same descriptor, and writes nothing to it. */
static void test_a_child_of_the_process_records_nothing(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    septet_host *host = new_recording_host(&reports, &config);
    int status;
    assert_runs(host, records);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) /* as many as make the ring spill */
        _exit(luaL_dostring(septet_lua(host), "marks(1001, 100000) recording:close()"));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_runs(host, "marks(11, 20) recording:close()");
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_silent(&reports);
    check_marks(20);
}

static void test_a_host_without_a_trace_records_nothing(void **state)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.trace_records = 0;
    septet_host *host = new_recording_host(&reports, &config);
    assert_runs(host, "local trace, task = require 'septet.trace', require 'septet.task' "
                      "local ok, err = pcall(trace.record, path) "
                      "assert(not ok and task.is(err, 'Usage'), err) "
                      "assert(tostring(err):find 'no trace to record' and not io.open(path)) "
                      "trace.mark 'm' trace.count('c', 1) "
                      "assert(trace.span('s', function(...) return select('#', ...) end, 1, 2)"
                      "  == 2)");
    assert_silent(&reports);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_of_the_host_ends_its_recordings),
        cmocka_unit_test(test_a_child_of_the_process_records_nothing),
        cmocka_unit_test(test_a_host_without_a_trace_records_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
