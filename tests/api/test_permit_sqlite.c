/* SPDX-License-Identifier: MIT */
/* The embedder's permission for a queue in a file: it is asked for reading and for writing before
 * anything is touched, and the standard profile without a `permit` has none. */
#include <sys/stat.h>
#include <unistd.h>

#include "support/host_fixture.h"

static struct {
    char asked[4096]; /* "read PATH" and "write PATH", a line each */
    char denied[256]; /* such a line */
} permit;

static int on_permit(void *ud, int what, const char *subject)
{
    char line[512];
    snprintf(line, sizeof line, "%s %s", what == SEPTET_PERMIT_WRITE ? "write" : "read", subject);
    size_t len = strlen(permit.asked);
    snprintf(permit.asked + len, sizeof permit.asked - len, "%s%s", len ? "\n" : "", line);
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
    config->permit = on_permit;
}

static void ask_nobody(septet_config *config)
{
    config->profile = SEPTET_PROFILE_STANDARD;
}

static int prepare(void **state, void (*configure)(septet_config *))
{
    static char folder[] = "/tmp/septet-permit-XXXXXX";
    memset(&permit, 0, sizeof permit);
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    if (host_fixture_setup_with(state, configure) != 0 || !mkdtemp(folder))
        return -1;
    lua_State *L = ((struct host_fixture *)*state)->L;
    lua_register(L, "asked", l_asked);
    lua_register(L, "deny", l_deny);
    lua_pushstring(L, folder);
    lua_setglobal(L, "folder");
    return 0;
}

static int setup(void **state)
{
    return prepare(state, ask);
}

static int setup_standard(void **state)
{
    return prepare(state, ask_nobody);
}

static int teardown(void **state)
{
    lua_State *L = ((struct host_fixture *)*state)->L;
    char command[128];
    lua_getglobal(L, "folder");
    snprintf(command, sizeof command, "rm -rf '%s'", lua_tostring(L, -1));
    lua_pop(L, 1);
    int removed = system(command);
    int rc = host_fixture_teardown(state);
    return removed ? -1 : rc;
}

static void run(void **state, const char *name)
{
    struct host_fixture *f = *state;
    assert_spawns(f->host, name);
    int status = septet_run(f->host);
    assert_silent(&f->reports);
    assert_int_equal(status, SEPTET_OK);
}

static void test_both_are_asked_for(void **state)
{
    run(state, "asks_for_both");
}

static void test_each_may_be_denied(void **state)
{
    run(state, "is_refused");
}

static void test_the_standard_profile_refuses_it_without_a_permit(void **state)
{
    run(state, "is_refused_without_a_permit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_are_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_may_be_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_standard_profile_refuses_it_without_a_permit,
                                        setup_standard, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
