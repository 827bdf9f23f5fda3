/* SPDX-License-Identifier: MIT */
/* The embedder's limits on requests in flight and on bodies, for the host and for one script. */
#include "support/host_fixture.h"
#include "support/test_file.h"

static void trust(septet_config *config)
{
    config->profile = SEPTET_PROFILE_TRUSTED; /* the scripts save to files */
}

static void limit_requests(septet_config *config)
{
    trust(config);
    config->limits.requests = 3;
}

static void limit_bodies(septet_config *config)
{
    trust(config);
    config->limits.body = 1000;
}

static int setup(void **state)
{
    return host_fixture_setup_with(state, trust);
}

static int setup_requests(void **state)
{
    return host_fixture_setup_with(state, limit_requests);
}

static int setup_bodies(void **state)
{
    return host_fixture_setup_with(state, limit_bodies);
}

/* Loads a function of the Lua file into a script with these limits. */
static septet_script *load(septet_host *host, const septet_limits *limits, const char *name)
{
    septet_script_options options;
    septet_script_options_init(&options);
    options.limits = *limits;
    options.shared_globals = 1;
    septet_script *script = septet_script_new(host, &options, NULL);
    assert_non_null(script);
    char source[8192];
    int n = snprintf(source, sizeof source, "local scripts = (function() %s end)() scripts.%s()",
                     test_file_read("api/test_http_limits.lua"), name);
    assert_in_range(n, 1, sizeof source - 1);
    assert_int_equal(septet_script_load(script, "=script", source, (size_t)n), SEPTET_OK);
    return script;
}

static long requests(septet_host *host)
{
    septet_stats stats = {.size = sizeof stats};
    assert_int_equal(septet_get_stats(host, &stats), SEPTET_OK);
    return (long)stats.requests;
}

static void run(struct host_fixture *f)
{
    int status = septet_run(f->host);
    assert_silent(&f->reports);
    assert_int_equal(status, SEPTET_OK);
    assert_int_equal(requests(f->host), 0);
}

static void test_requests_of_a_host_are_limited(void **state)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, "requests_are_counted_while_they_last");
    run(f);
}

static void test_every_end_of_a_request_counts(void **state)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, "every_end_gives_a_request_back");
    run(f);
}

static void test_requests_of_a_script_are_limited(void **state)
{
    struct host_fixture *f = *state;
    const septet_limits three = {.requests = 3}, none = {0};
    septet_script *limited = load(f->host, &three, "requests_are_counted_while_they_last");
    septet_script *neighbour = load(f->host, &none, "three_requests_at_once");
    septet_script *other = load(f->host, &three, "three_requests_at_once");
    run(f);
    assert_int_equal(septet_script_status(limited), SEPTET_OK);
    assert_int_equal(septet_script_status(neighbour), SEPTET_OK);
    assert_int_equal(septet_script_status(other), SEPTET_OK);
}

static void test_an_unloaded_script_gives_its_requests_back(void **state)
{
    struct host_fixture *f = *state;
    septet_script *script =
        load(f->host, &(septet_limits){.requests = 3}, "three_requests_at_once");
    while (requests(f->host) < 3)
        septet_step(f->host, 0);
    septet_script_unload(script);
    run(f);
}

static void test_stats_count_requests_that_wait(void **state)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, "three_requests_at_once");
    while (requests(f->host) < 3)
        septet_step(f->host, 0);
    run(f);
}

static void test_bodies_of_a_host_are_limited(void **state)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, "bodies_are_bounded");
    run(f);
}

static void test_bodies_of_a_script_are_limited(void **state)
{
    struct host_fixture *f = *state;
    septet_script *limited = load(f->host, &(septet_limits){.body = 1000}, "bodies_are_bounded");
    septet_script *neighbour =
        load(f->host, &(septet_limits){.body = 1001}, "a_body_of_1001_bytes");
    run(f);
    assert_int_equal(septet_script_status(limited), SEPTET_OK);
    assert_int_equal(septet_script_status(neighbour), SEPTET_OK);
}

#define TEST_WITH(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, host_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH(test_requests_of_a_host_are_limited, setup_requests),
        TEST_WITH(test_every_end_of_a_request_counts, setup_requests),
        TEST_WITH(test_requests_of_a_script_are_limited, setup),
        TEST_WITH(test_an_unloaded_script_gives_its_requests_back, setup),
        TEST_WITH(test_stats_count_requests_that_wait, setup),
        TEST_WITH(test_bodies_of_a_host_are_limited, setup_bodies),
        TEST_WITH(test_bodies_of_a_script_are_limited, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
