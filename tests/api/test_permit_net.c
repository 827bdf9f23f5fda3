/* SPDX-License-Identifier: MIT */
/* The embedder's permission for sockets: what is asked, in both profiles, and that no name, form of
 * an address or path gets past it. */
#include "support/host_fixture.h"

static struct {
    char asked[2048]; /* a letter for the kind and the subject of each, with a space between */
    char denied[256];
    int standard; /* the profile is the standard one */
    int absent;   /* there is no callback */
} permit;

static int on_permit(void *ud, int what, const char *subject)
{
    char line[300], letter = what == SEPTET_PERMIT_CONNECT  ? 'C'
                             : what == SEPTET_PERMIT_LISTEN ? 'L'
                             : what == SEPTET_PERMIT_WRITE  ? 'W'
                                                            : '?';
    size_t len = strlen(permit.asked);
    snprintf(line, sizeof line, "%c:%s", letter, subject);
    snprintf(permit.asked + len, sizeof permit.asked - len, "%s%s", len ? " " : "", line);
    return strcmp(line, permit.denied) != 0;
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
    config->permit = permit.absent ? NULL : on_permit;
    config->profile = permit.standard ? SEPTET_PROFILE_STANDARD : SEPTET_PROFILE_TRUSTED;
}

static void run(const char *name, int standard, int absent)
{
    void *state = NULL;
    memset(&permit, 0, sizeof permit);
    permit.standard = standard;
    permit.absent = absent;
    assert_int_equal(host_fixture_setup_with(&state, ask), 0);
    struct host_fixture *f = state;
    lua_register(f->L, "asked", l_asked);
    lua_register(f->L, "deny", l_deny);
    lua_pushstring(f->L, getenv("SEPTET_DNS"));
    lua_setglobal(f->L, "DNS");
    assert_spawns(f->host, name);
    int status = septet_run(f->host);
    assert_silent(&f->reports);
    assert_int_equal(status, SEPTET_OK);
    host_fixture_teardown(&state);
}

#define SCRIPTS(XX)                                                                                \
    XX(a_connection_is_asked_about_by_name_and_by_each_address)                                    \
    XX(a_name_that_is_denied_is_not_looked_up)                                                     \
    XX(an_address_is_denied_in_all_its_forms)                                                      \
    XX(a_name_that_leads_to_a_denied_address_gets_no_connection)                                   \
    XX(a_name_goes_on_with_an_address_that_is_permitted)                                           \
    XX(a_server_is_asked_about_by_its_address)                                                     \
    XX(a_unix_socket_is_asked_about_by_its_path)                                                   \
    XX(a_dns_server_is_asked_about)                                                                \
    XX(a_redis_server_is_asked_about_as_any_other)

#define XX(name)                                                                                   \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        run(#name, 0, 0);                                                                          \
        run(#name, 1, 0);                                                                          \
    }
SCRIPTS(XX)
#undef XX

static void test_the_standard_profile_connects_and_does_nothing_else_by_default(void **state)
{
    run("the_standard_profile_connects_and_does_nothing_else", 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define XX(name) cmocka_unit_test(test_##name),
        SCRIPTS(XX)
#undef XX
            cmocka_unit_test(test_the_standard_profile_connects_and_does_nothing_else_by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
