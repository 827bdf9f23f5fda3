/* SPDX-License-Identifier: MIT */
/* A file that is missing fails the test. */
#include "support/test_file.h"

#include <stdio.h>

#include <lauxlib.h>

#include "support/cmocka.h"

const char *test_file_read(const char *path)
{
    static char text[16384];
    char whole[512];
    snprintf(whole, sizeof whole, TESTS_FOLDER "/%s", path);
    FILE *file = fopen(whole, "r");
    if (!file)
        fail_msg("cannot open '%s'", whole);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    assert_in_range(len, 1, sizeof text - 1);
    text[len] = '\0';
    return text;
}

void test_file_push(lua_State *L, const char *path, const char *name)
{
    if (luaL_loadfilex(L, path, "t") != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    if (lua_getfield(L, -1, name) != LUA_TFUNCTION)
        fail_msg("'%s' has no script '%s'", path, name);
    lua_remove(L, -2);
}
