/* SPDX-License-Identifier: MIT */
/* The embedder's permission for servers and for event streams: what it is asked about, and what a
 * denial leaves. */
#include "support/host_fixture.h"

static struct {
    char asked[1024];  /* "listen SUBJECT" or "connect SUBJECT", with a comma between */
    char denied[1024]; /* beginning of the denied ones */
} permit;

static int on_permit(void *ud, int what, const char *subject)
{
    char text[512];
    if (what != SEPTET_PERMIT_CONNECT && what != SEPTET_PERMIT_LISTEN)
        return 1;
    snprintf(text, sizeof text, "%s %s", what == SEPTET_PERMIT_LISTEN ? "listen" : "connect",
             subject);
    size_t len = strlen(permit.asked);
    snprintf(permit.asked + len, sizeof permit.asked - len, "%s%s", len ? "," : "", text);
    return !permit.denied[0] || strncmp(text, permit.denied, strlen(permit.denied)) != 0;
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

static void give_nothing(septet_config *config)
{
    config->profile = SEPTET_PROFILE_STANDARD;
}

static int setup_standard(void **state)
{
    return host_fixture_setup_with(state, give_nothing);
}

static int setup(void **state)
{
    memset(&permit, 0, sizeof permit);
    if (host_fixture_setup_with(state, ask) != 0)
        return -1;
    lua_State *L = ((struct host_fixture *)*state)->L;
    lua_register(L, "asked", l_asked);
    lua_register(L, "deny", l_deny);
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
    XX(a_server_is_asked_about_by_its_address)                                                     \
    XX(a_server_that_is_denied_does_not_listen)                                                    \
    XX(an_event_stream_that_is_denied_is_not_tried_again)

#define XX(name)                                                                                   \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        run(state, #name);                                                                         \
    }
SCRIPTS(XX)
#undef XX

static void test_the_standard_profile_serves_nothing(void **state)
{
    run(state, "the_standard_profile_serves_nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define XX(name) cmocka_unit_test_setup_teardown(test_##name, setup, host_fixture_teardown),
        SCRIPTS(XX)
#undef XX
            cmocka_unit_test_setup_teardown(test_the_standard_profile_serves_nothing,
                                            setup_standard, host_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
