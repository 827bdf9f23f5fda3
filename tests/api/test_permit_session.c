/* SPDX-License-Identifier: MIT */
/* The embedder's permission for what sessions do with files and with connections of their own. */
#include "support/host_fixture.h"

static struct {
    char asked[1024]; /* kinds and subjects, with a space between */
    char denied[256];
} permit;

static const char *kind_of(int what)
{
    switch (what) {
    case SEPTET_PERMIT_READ:
        return "read";
    case SEPTET_PERMIT_WRITE:
        return "write";
    case SEPTET_PERMIT_CONNECT:
        return "connect";
    default:
        return "other";
    }
}

static int on_permit(void *ud, int what, const char *subject)
{
    char text[256];
    size_t len = strlen(permit.asked);
    snprintf(text, sizeof text, "%s:%s", kind_of(what), subject);
    snprintf(permit.asked + len, sizeof permit.asked - len, "%s%s", len ? " " : "", text);
    return strcmp(text, permit.denied) != 0;
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
    XX(files_of_cookies_are_asked_about)                                                           \
    XX(a_reader_needs_a_permission_to_be_opened_and_an_upload_no_other)                            \
    XX(fresh_and_repeated_requests_are_asked_about_each)

#define XX(name)                                                                                   \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        run(state, #name);                                                                         \
    }
SCRIPTS(XX)
#undef XX

int main(void)
{
    const struct CMUnitTest tests[] = {
#define XX(name) cmocka_unit_test_setup_teardown(test_##name, setup, host_fixture_teardown),
        SCRIPTS(XX)
#undef XX
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
