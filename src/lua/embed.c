/* `require` for the modules compiled into the library. SEPTET_LUA_PATH, a folder that holds septet/,
 * overrides them while developing. */
#include "lua/embed.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/lib.h"

static const struct spt_module *find(const char *name)
{
    for (const struct spt_module *m = spt_modules; m->name; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

/* The file that overrides module `name`; pushes its path. */
static const char * override(lua_State *L, const char *name)
{
    const char *root = getenv("SEPTET_LUA_PATH");
    if (!root || !*root)
        return NULL;
    const char *file = strcmp(name, "septet") == 0 ? "septet.init" : name;
    return lua_pushfstring(L, "%s/%s.lua", root, luaL_gsub(L, file, ".", "/"));
}

/* Loads a file under the module's own chunk name: what is an error's place does not depend on where the
 * module came from. */
static int load_file(lua_State *L, const char *path, const char *chunk)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return luaL_error(L, "cannot open '%s'", path);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    size_t n;
    do { /* an error of memory leaks the file: while developing, that does not matter */
        n = fread(luaL_prepbuffer(&b), 1, LUAL_BUFFERSIZE, f);
        luaL_addsize(&b, n);
    } while (n > 0);
    fclose(f);
    luaL_pushresult(&b);
    return luaL_loadbufferx(L, lua_tostring(L, -1), lua_rawlen(L, -1), chunk, "t");
}

/* A loader of package.preload: its first argument is the module's name. */
static int l_load(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct spt_module *m = find(name);
    const char *path = override(L, name);
    char chunk[80];
    snprintf(chunk, sizeof chunk, "=[%s]", name);
    int status =
        path ? load_file(L, path, chunk) : luaL_loadbufferx(L, m->source, m->size, chunk, "t");
    if (status != LUA_OK)
        return lua_error(L);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    return 1;
}

void spt_open_modules(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); // stack: preload, loaded
    for (const struct spt_module *m = spt_modules; m->name; m++) {
        lua_pushcfunction(L, l_load);
        lua_setfield(L, -3, m->name);
        lua_pushnil(L); /* an earlier host of this state may have left its own */
        lua_setfield(L, -2, m->name);
    }
    lua_pop(L, 2);
}
