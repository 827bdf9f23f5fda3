/* SPDX-License-Identifier: MIT */
/* Loads the embedded modules for `require`. They run in an environment of their own. So a script
 * that overwrites a global, or a function of a standard library, breaks only its own code. Modules
 * of a subfolder, as septet.http.retry, are private: only the modules' own `require` finds them.
 * The command has more private modules: a program gives them by SPT_SOURCE. */
#include "lua/embed.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/error.h"
#include "core/locked_table.h"
#include "lua/lib.h"
#include "op/env.h"

static const struct spt_module *find(const char *name)
{
    for (const struct spt_module *m = spt_modules; m->name; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

/* Returns true if the name has two dots. */
static bool is_private(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot && strchr(dot + 1, '.');
}

/* Pushes the path of the module's file under the folder `root`. */
static const char *push_path(lua_State *L, const char *root, const char *name, bool is_text)
{
    const char *file = strcmp(name, "septet") == 0 ? "septet.init" : name;
    const char *end = is_text ? strrchr(file, '.') : ".lua";
    size_t stem = is_text ? (size_t)(end - file) : strlen(file);
    lua_pushlstring(L, file, stem);
    return lua_pushfstring(L, "%s/%s%s", root, luaL_gsub(L, lua_tostring(L, -1), ".", "/"), end);
}

/* Pushes the content of a file. Returns false, pushes nothing and sets errno if it cannot be
 * opened. */
static bool push_file(lua_State *L, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    size_t n;
    do { /* an error of memory leaks the file, which does not matter during development */
        n = fread(luaL_prepbuffer(&b), 1, LUAL_BUFFERSIZE, f);
        luaL_addsize(&b, n);
    } while (n > 0);
    fclose(f);
    luaL_pushresult(&b);
    return true;
}

/* Loads a module's Lua text under the module's own chunk name, so that the place in an error does
 * not depend on where the text came from. */
static int load_text(lua_State *L, const char *text, size_t size, const char *name)
{
    char chunk[80];
    snprintf(chunk, sizeof chunk, "=[%s]", name);
    return luaL_loadbufferx(L, text, size, chunk, "t");
}

/* --- the environment --- */

static const char *const names[] = {
    "assert",   "collectgarbage", "dofile",   "error",        "getmetatable", "ipairs",   "load",
    "loadfile", "next",           "pairs",    "pcall",        "print",        "rawequal", "rawget",
    "rawlen",   "rawset",         "select",   "setmetatable", "tonumber",     "tostring", "type",
    "warn",     "xpcall",         "_VERSION", "coroutine",    "debug",        "io",       "math",
    "os",       "package",        "string",   "table",        "utf8",
};

/* Replaces the table on top of the stack by a copy of it, made in its final size. */
static void copy_table(lua_State *L)
{
    int n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        n++;
    lua_createtable(L, 0, n);
    lua_pushnil(L);
    while (lua_next(L, -3)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

/* Replaces the script's `package` on top of the stack by one for the modules. `loaded` and
 * `preload` are the state's. All other fields come from the script's table, as for the standard
 * `require`. */
static void make_package(lua_State *L)
{
    lua_createtable(L, 0, 2);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_setfield(L, -2, "loaded");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_setfield(L, -2, "preload");
    lua_createtable(L, 0, 1);
    lua_rotate(L, -3, -1); // stack: ours, its metatable, the script's
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}

/* Adds copies of the standard libraries in the globals to the environment on top of the stack, if
 * it lacks them. An embedder may open libraries after the host. */
static void fill_environment(lua_State *L)
{
    int environment = lua_gettop(L), globals = environment + 1;
    lua_pushglobaltable(L);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool has = lua_getfield(L, environment, names[i]) != LUA_TNIL;
        lua_pop(L, 1);
        if (has)
            continue;
        lua_pushstring(L, names[i]);
        if (lua_rawget(L, globals) == LUA_TTABLE)
            (strcmp(names[i], "package") == 0 ? make_package : copy_table)(L);
        lua_setfield(L, environment, names[i]);
    }
    lua_settop(L, environment);
}

/* --- the loaders --- */

/* The upvalues of l_load and l_require. */
enum {
    ENVIRONMENT = 1,
    ROOT,  /* the config's lua_path, or nil */
    LOCKS, /* whether scripts may not change the public modules */
    UPVALUES = LOCKS
};

/* The __newindex of a locked module. Its upvalue is the module's name. */
static int l_refuse(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
    return spt_error_usage(L, "cannot set '%s': '%s' is read-only", key,
                           lua_tostring(L, lua_upvalueindex(1)));
}

/* Pushes the text of a private module of the program's. Returns false and pushes nothing if it has
 * none of this name. */
static bool push_given(lua_State *L, const char *name)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, SPT_SOURCE) != LUA_TNIL) {
        lua_pushstring(L, name);
        lua_call(L, 1, 1);
    }
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

/* Pushes the text of a module from the folder `root`. Returns false if the folder lacks one of the
 * program's, as those that the build makes are in no folder of the sources. Any other failure is
 * raised: the built-in module would hide that the folder is not the one that was meant. */
static bool push_from_folder(lua_State *L, const char *root, const char *name,
                             const struct spt_module *m)
{
    const char *path = push_path(L, root, name, m && m->text);
    if (push_file(L, path))
        return true;
    int error = errno;
    if (!m && error == ENOENT && access(lua_pushfstring(L, "%s/septet", root), F_OK) == 0)
        return false;
    return luaL_error(L, "cannot open '%s': %s", path, strerror(error));
}

/* Loads an embedded module. A loader of package.preload: its first argument is the module's
 * name. */
static int l_load(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct spt_module *m = find(name);
    const char *root = lua_tostring(L, lua_upvalueindex(ROOT));
    const char *text = m ? m->source : NULL;
    size_t size = m ? m->size : 0;
    if ((root && push_from_folder(L, root, name, m)) || (!m && push_given(L, name)))
        text = lua_tolstring(L, -1, &size);
    if (!text)
        return luaL_error(L, "there is no embedded module '%s'", name);
    if (m && m->text) {
        lua_pushlstring(L, text, size);
        return 1;
    }
    if (load_text(L, text, size, name) != LUA_OK)
        return lua_error(L);
    lua_pushvalue(L, lua_upvalueindex(ENVIRONMENT));
    fill_environment(L);
    lua_setupvalue(L, -2, 1);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    if (lua_toboolean(L, lua_upvalueindex(LOCKS)) && lua_istable(L, -1) && !is_private(name)) {
        lua_pushstring(L, name);
        lua_pushcclosure(L, l_refuse, 1);
        spt_locked_table_lock(L, -2);
    }
    return 1;
}

/* Pushes the script's loader of a public module, from package.preload. Returns false and pushes
 * nothing if there is none. */
static bool push_preloaded(lua_State *L, const char *name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    int type = lua_getfield(L, -1, name);
    lua_remove(L, -2);
    if (type != LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

/* The `require` of the modules themselves. Like the standard one, but needs no searcher. It
 * respects what a script put into package.loaded or package.preload, except for private modules and
 * septet.core, which no other `require` finds. */
static int l_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    if (strcmp(name, SPT_CORE) == 0) {
        lua_getfield(L, LUA_REGISTRYINDEX, SPT_CORE);
        return 1;
    }
    bool hidden = is_private(name);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, hidden ? SPT_MODULES : LUA_LOADED_TABLE);
    if (lua_getfield(L, 2, name) != LUA_TNIL)
        return 1;
    if (hidden || !push_preloaded(L, name)) {
        for (int i = 1; i <= UPVALUES; i++)
            lua_pushvalue(L, lua_upvalueindex(i));
        lua_pushcclosure(L, l_load, UPVALUES);
    }
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1))
        lua_pushboolean(L, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}

/* Pushes `function` with copies of the upvalues on top of the stack. */
static void push_closure(lua_State *L, lua_CFunction function)
{
    for (int i = 1; i <= UPVALUES; i++)
        lua_pushvalue(L, -UPVALUES);
    lua_pushcclosure(L, function, UPVALUES);
}

void spt_open_modules(lua_State *L, struct spt_env *env)
{
    const char *root = env->lua_path;
    int top = lua_gettop(L);
    lua_createtable(L, 0, 40);
    fill_environment(L);
    lua_pushstring(L, root && *root ? root : NULL);
    lua_pushboolean(L, env->is_standard); // stack: environment, root, locks
    push_closure(L, l_require);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, SPT_REQUIRE);
    lua_setfield(L, -(UPVALUES + 1), "require");
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, SPT_MODULES);
    push_closure(L, l_load);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); // stack: ..., loader, preload, loaded
    for (const struct spt_module *m = spt_modules; m->name; m++) {
        if (is_private(m->name))
            continue;
        lua_pushvalue(L, -3);
        lua_setfield(L, -3, m->name);
        lua_pushnil(L); /* an earlier host of this state may have left its own */
        lua_setfield(L, -2, m->name);
    }
    lua_settop(L, top);
}
