/* SPDX-License-Identifier: MIT */
/* One record for the process: a test has one host. */
#include "support/permit_fixture.h"

#include <unistd.h>

static struct {
    char asked[4096]; /* the lines */
    char denied[512]; /* a line or a kind */
    char allowed[512];
    char folder[32];
} record;

static int on_permit(void *ud, int what, const char *subject)
{
    static const char *const kinds[] = {
        [SEPTET_PERMIT_CONNECT] = "connect", [SEPTET_PERMIT_READ] = "read",
        [SEPTET_PERMIT_WRITE] = "write",     [SEPTET_PERMIT_RUN] = "run",
        [SEPTET_PERMIT_ENV] = "env",         [SEPTET_PERMIT_TRACE] = "trace",
        [SEPTET_PERMIT_LISTEN] = "listen"};
    char line[512];
    size_t len = strlen(record.asked);
    snprintf(line, sizeof line, "%s %s", kinds[what], subject);
    snprintf(record.asked + len, sizeof record.asked - len, "%s%s", len ? "\n" : "", line);
    if (record.allowed[0])
        return strcmp(line, record.allowed) == 0;
    return strcmp(line, record.denied) != 0 && strcmp(kinds[what], record.denied) != 0;
}

/* --- what scripts call --- */

static int l_asked(lua_State *L)
{
    lua_pushstring(L, record.asked);
    record.asked[0] = '\0';
    return 1;
}

static int l_assert_asked(lua_State *L)
{
    int n = lua_gettop(L);
    lua_pushliteral(L, "");
    for (int i = 1; i <= n; i++) {
        lua_pushfstring(L, i > 1 ? "\n%s" : "%s", luaL_checkstring(L, i));
        lua_concat(L, 2);
    }
    l_asked(L);
    if (!lua_rawequal(L, -1, -2))
        return luaL_error(L, "asked '%s', not '%s'", lua_tostring(L, -1), lua_tostring(L, -2));
    return 0;
}

static int l_deny(lua_State *L)
{
    snprintf(record.denied, sizeof record.denied, "%s", luaL_checkstring(L, 1));
    return 0;
}

static int l_allow(lua_State *L)
{
    snprintf(record.allowed, sizeof record.allowed, "%s", luaL_checkstring(L, 1));
    return 0;
}

/* --- the fixture --- */

void permit_ask(septet_config *config)
{
    config->permit = on_permit;
}

static void use_standard(septet_config *config)
{
    config->profile = SEPTET_PROFILE_STANDARD;
}

static void ask_in_standard(septet_config *config)
{
    use_standard(config);
    permit_ask(config);
}

int permit_setup_with(void **state, void (*configure)(septet_config *))
{
    memset(&record, 0, sizeof record);
    strcpy(record.folder, "/tmp/septet-permit-XXXXXX");
    if (!mkdtemp(record.folder) || host_fixture_setup_with(state, configure) != 0)
        return -1;
    lua_State *L = ((struct host_fixture *)*state)->L;
    lua_register(L, "asked", l_asked);
    lua_register(L, "assert_asked", l_assert_asked);
    lua_register(L, "deny", l_deny);
    lua_register(L, "allow", l_allow);
    lua_pushstring(L, record.folder);
    lua_setglobal(L, "folder");
    return 0;
}

int permit_setup(void **state)
{
    return permit_setup_with(state, permit_ask);
}

int permit_setup_standard(void **state)
{
    return permit_setup_with(state, ask_in_standard);
}

int permit_setup_unasked(void **state)
{
    return permit_setup_with(state, use_standard);
}

int permit_teardown(void **state)
{
    char command[64];
    int rc = host_fixture_teardown(state);
    snprintf(command, sizeof command, "rm -rf '%s'", record.folder);
    return system(command) ? -1 : rc;
}

void permit_run(void **state, const char *path, const char *name)
{
    struct host_fixture *f = *state;
    assert_int_equal(spawn_function(f->host, path, name), SEPTET_OK);
    int status = septet_run(f->host);
    assert_silent(&f->reports);
    assert_int_equal(status, SEPTET_OK);
}
