/* SPDX-License-Identifier: MIT */
/* The Nth allocation, poller or socket fails, for one N after the other, once or from there on: a
 * script that does a bit of all ends, each of its requests whole or with a typed error, an ordinary
 * request works afterwards, and nothing is left.
 *
 * There are too many N to try them all in each run: SEPTET_TORTURE is how many of each kind
 * (default 25; 0: all of them), SEPTET_TORTURE_SEED which ones (default: the month's). */
#include "faults/failing_calls.h"
#include "support/host_fixture.h"

#include <curl/curl.h>

/* --- the work --- */

/* Codes that a fault may have. libcurl has several words for a lack of memory: it gives a Location
 * that it has no memory to read as it is, and a header line that is too long looks like memory that
 * ran out. */
static const char *const codes[] = {"memory", "timeout",           "connect",  "dns",    "tls",
                                    "reset",  "headers_too_large", "redirect", "decode", NULL};

static void set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setglobal(L, name);
}

static const char *const modules[] = {"septet.task", "septet.http", "septet.http.upload", NULL};

/* Before anything fails: the globals of the script, and its modules. */
static int l_prepare(lua_State *L)
{
    const char *origin = getenv("SEPTET_ORIGIN"), *folder = getenv("SEPTET_TLS");
    luaL_argcheck(L, origin && folder, 1, "run this beside an origin and its peer 'tls'");
    set_string(L, "origin", origin);
    set_string(L, "port", strrchr(origin, ':') + 1);
    set_string(L, "tls", lua_toboolean(L, 1) ? getenv("SEPTET_TLS_ORIGIN") : NULL);
    lua_pushfstring(L, "%s/ca.pem", folder);
    lua_setglobal(L, "ca");
    lua_newtable(L);
    for (int i = 0; codes[i]; i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, codes[i]);
    }
    lua_setglobal(L, "codes");
    for (int i = 0; modules[i]; i++) {
        lua_getfield(L, LUA_REGISTRYINDEX, "septet.require");
        lua_pushstring(L, modules[i]);
        lua_call(L, 1, 0);
    }
    return 0;
}

static struct {
    long done;       /* requests that were whole, in all the rounds */
    long refused;    /* hosts that could not be made */
    long broken;     /* scripts that ended early */
    char text[1024]; /* what went wrong in the last round */
} result;

static void wrong(const char *what, const char *text)
{
    if (!result.text[0])
        snprintf(result.text, sizeof result.text, "%s: %s", what, text);
}

/* An ordinary request, on what the fault has left. */
static void check_sound(septet_host *host, struct reports *reports)
{
    *reports = (struct reports){0};
    int rc = septet_load_string(host, "=sound",
                                "local http = require 'septet.http' "
                                "local r = http.get(origin .. '/bytes/16') "
                                "assert(r.body == '0123456789abcdef')");
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    if (rc != SEPTET_OK || reports->errors)
        wrong("afterwards", reports->errors ? reports->message : septet_strerror(rc));
}

static void work_in(septet_host *host, struct reports *reports)
{
    lua_State *L = septet_lua(host);
    int rc = load_test_file(host, "faults/torture.lua");
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    fault.armed = false;
    if (rc != SEPTET_OK) {
        result.broken++;
        if (rc != SEPTET_ENOMEM && !strstr(reports->message, "memory"))
            wrong(septet_strerror(rc), reports->message);
    }
    if (lua_getglobal(L, "bad") == LUA_TSTRING)
        wrong("in the script", lua_tostring(L, -1));
    lua_getglobal(L, "done");
    result.done += (long)lua_tointeger(L, -1);
    lua_pop(L, 2);
    check_sound(host, reports);
}

/* One round on a host of its own; the fault is armed for all of it but the preparation. */
static void round_of(enum kind kind, long from, long run)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    int status = SEPTET_OK;
    config.alloc = fault_lua_memory;
    result.text[0] = '\0';
    fault_arm(kind, from, run);
    fault.armed = kind != LUA; /* what a host is made of has tests of its own */
    septet_host *host = septet_new(&config, &status);
    fault.armed = false;
    if (!host) {
        result.refused++;
        if (status != SEPTET_ENOMEM && status != SEPTET_ELOOP)
            wrong("septet_new", septet_strerror(status));
        return;
    }
    lua_pushcfunction(septet_lua(host), l_prepare);
    lua_pushboolean(septet_lua(host), kind != CURL_MEMORY);
    lua_call(septet_lua(host), 1, 0);
    fault.armed = true;
    work_in(host, &reports);
    septet_free(host);
}

/* --- the points --- */

static struct {
    long own, curl;
    int descriptors;
} before;

static void note_before(void)
{
    before.own = live.own;
    before.curl = live.curl;
    before.descriptors = count_descriptors();
}

static void check_point(enum kind kind, long from, long run)
{
    char what[128];
    snprintf(what, sizeof what, "%s, %ld from number %ld", kind_names[kind], run, from);
    if (getenv("SEPTET_TORTURE_VERBOSE"))
        fprintf(stderr, "%s\n", what); /* which one it was that ended the process */
    round_of(kind, from, run);
    if (result.text[0])
        fail_msg("%s: %s", what, result.text);
    if (live.lua != 0)
        fail_msg("%s: %zu bytes of Lua's are left", what, live.lua);
    if (live.own != before.own)
        fail_msg("%s: %ld blocks of our own are left", what, live.own - before.own);
    if (live.curl != before.curl)
        fail_msg("%s: %ld blocks of libcurl's are left", what, live.curl - before.curl);
    if (count_descriptors() != before.descriptors)
        fail_msg("%s: a descriptor is left", what);
}

/* How often `kind` is asked for in a round without faults, which must be all that it should be. */
static long count(enum kind kind)
{
    round_of(kind, 0, 0); /* what is made once in a process is made */
    note_before();
    result.done = 0;
    check_point(kind, 0, 0);
    assert_int_equal(result.done, kind == CURL_MEMORY ? 22 : 23);
    return fault.calls;
}

static void torture(enum kind kind, long run)
{
    struct fault_points points = fault_points(count(kind), 25);
    long hits = 0;
    assert_true(points.total > 0);
    memset(&result, 0, sizeof result);
    for (long n; (n = fault_next_point(&points)) != 0;) {
        check_point(kind, n, run);
        hits += fault.failed > 0;
    }
    assert_true(hits > points.n / 2); /* the work is not the same each time */
    printf("%s: %ld of %ld points, %ld without a host, %ld without an end, %ld requests whole\n",
           kind_names[kind], points.n, points.total, result.refused, result.broken, result.done);
}

/* A single refusal of Lua's memory leads to a collection and another try: two make an error. */
static void test_http_44_lua_memory_fails_once(void **state)
{
    torture(LUA, 2);
}

static void test_http_44_lua_memory_fails_for_ever(void **state)
{
    torture(LUA, FOR_EVER);
}

static void test_http_44_own_memory_fails_once(void **state)
{
    torture(OWN, 1);
}

static void test_http_44_own_memory_fails_for_ever(void **state)
{
    torture(OWN, FOR_EVER);
}

static void test_http_44_libcurl_memory_fails_once(void **state)
{
    torture(CURL_MEMORY, 1);
}

static void test_http_44_libcurl_memory_fails_for_ever(void **state)
{
    torture(CURL_MEMORY, FOR_EVER);
}

static void test_http_44_a_socket_cannot_be_watched_once(void **state)
{
    torture(POLLER, 1);
}

static void test_http_44_a_socket_cannot_be_watched_for_ever(void **state)
{
    torture(POLLER, FOR_EVER);
}

static void test_http_44_a_socket_cannot_be_made_once(void **state)
{
    torture(SOCKET, 1);
}

static void test_http_44_a_socket_cannot_be_made_for_ever(void **state)
{
    torture(SOCKET, FOR_EVER);
}

/* With an argument: the tests of which it is the pattern. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_44_lua_memory_fails_once),
        cmocka_unit_test(test_http_44_lua_memory_fails_for_ever),
        cmocka_unit_test(test_http_44_own_memory_fails_once),
        cmocka_unit_test(test_http_44_own_memory_fails_for_ever),
        cmocka_unit_test(test_http_44_libcurl_memory_fails_once),
        cmocka_unit_test(test_http_44_libcurl_memory_fails_for_ever),
        cmocka_unit_test(test_http_44_a_socket_cannot_be_watched_once),
        cmocka_unit_test(test_http_44_a_socket_cannot_be_watched_for_ever),
        cmocka_unit_test(test_http_44_a_socket_cannot_be_made_once),
        cmocka_unit_test(test_http_44_a_socket_cannot_be_made_for_ever),
    };
    fault_init_curl();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    printf("seed %lu\n", fault_seed());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
