/* SPDX-License-Identifier: MIT */
/* The embedder's permission for connections: what it is asked about, and what a denial does. */
#include "support/host_fixture.h"

static struct {
    char asked[1024]; /* the subjects, with a space between */
    char denied[256];
} permit;

static int on_permit(void *ud, int what, const char *subject)
{
    if (what != SEPTET_PERMIT_CONNECT)
        return 1;
    size_t len = strlen(permit.asked);
    snprintf(permit.asked + len, sizeof permit.asked - len, "%s%s", len ? " " : "", subject);
    return strcmp(subject, permit.denied) != 0;
}

static int l_asked(lua_State *L)
{
    lua_pushstring(L, permit.asked);
    permit.asked[0] = '\0';
    return 1;
}

static int l_deny(lua_State *L)
{
    snprintf(permit.denied, sizeof permit.denied, "%s", luaL_checkstring(L, 1));
    return 0;
}

static void ask(septet_config *config)
{
    config->permit = on_permit;
}

static int setup(void **state)
{
    memset(&permit, 0, sizeof permit);
    if (host_fixture_setup_with(state, ask) != 0)
        return -1;
    lua_State *L = ((struct host_fixture *)*state)->L;
    lua_register(L, "asked", l_asked);
    lua_register(L, "deny", l_deny);
    lua_pushstring(L, getenv("SEPTET_ORIGIN_UNIX"));
    lua_setglobal(L, "socket");
    return 0;
}

static void run(void **state, const char *name)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, name);
    int status = septet_run(f->host);
    assert_silent(&f->reports);
    assert_int_equal(status, SEPTET_OK);
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

#define XX(name)                                                                                   \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        run(state, #name);                                                                         \
    }
SCRIPTS(XX)
#undef XX

static void test_a_proxy_of_the_environment_is_asked_about_by_its_address(void **state)
{
    setenv("http_proxy", getenv("SEPTET_ORIGIN"), 1);
    run(state, "a_proxy_of_the_environment_is_asked_about_by_its_address");
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
#define XX(name) cmocka_unit_test_setup_teardown(test_##name, setup, host_fixture_teardown),
        SCRIPTS(XX)
#undef XX
            cmocka_unit_test_setup_teardown(
                test_a_proxy_of_the_environment_is_asked_about_by_its_address, setup,
                host_fixture_teardown),
        TEST(test_connections_need_no_permission_by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
