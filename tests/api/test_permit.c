/* SPDX-License-Identifier: MIT */
/* The embedder's permission for connections: what it is asked about, and what a denial does. */
#include "support/permit_fixture.h"

static int setup(void **state)
{
    if (permit_setup(state) != 0)
        return -1;
    lua_State *L = ((struct host_fixture *)*state)->L;
    lua_pushstring(L, getenv("SEPTET_ORIGIN_UNIX"));
    lua_setglobal(L, "socket");
    return 0;
}

#define SCRIPTS(XX)                                                                                \
    XX(a_connection_is_asked_about_by_name_and_by_address)                                         \
    XX(a_name_that_is_denied_is_not_looked_up)                                                     \
    XX(an_address_that_is_denied_gets_no_connection)                                               \
    XX(an_open_connection_is_denied)                                                               \
    XX(a_redirect_is_asked_about)                                                                  \
    XX(a_proxy_is_asked_about_as_the_connection_it_is)                                             \
    XX(a_unix_socket_is_asked_about_by_its_path)                                                   \
    XX(a_dns_server_is_asked_about)

SCRIPTS(PERMIT_SCRIPT)

static void test_a_proxy_of_the_environment_is_asked_about_by_its_address(void **state)
{
    setenv("http_proxy", getenv("SEPTET_ORIGIN"), 1);
    permit_run(state, TEST_SCRIPTS, "a_proxy_of_the_environment_is_asked_about_by_its_address");
    unsetenv("http_proxy");
}

/* Without the callback, both profiles allow connections. */
static void test_connections_need_no_permission_by_default(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, PRELUDE "assert(http.get(origin .. '/bytes/1').status == 200)");
    assert_silent(&f->reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define XX(name) PERMIT_TEST(name, setup),
        SCRIPTS(XX)
#undef XX
            PERMIT_TEST(a_proxy_of_the_environment_is_asked_about_by_its_address, setup),
        TEST(test_connections_need_no_permission_by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
