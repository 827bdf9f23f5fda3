/* SPDX-License-Identifier: MIT */
/* Compiles selectors for scripts. */
#include <lauxlib.h>

#include "core/check.h"
#include "op/env.h"
#include "op/html/handle.h"
#include "op/html/openers.h"

/* html_selector(text): compiles a selector. Returns nil, the position of the error in bytes from 1,
 * and what is wrong there. */
static int l_selector(lua_State *L)
{
    size_t len;
    struct spt_html_selector_error error;
    const char *text = spt_check_string(L, 1, &len);
    struct spt_html_selector_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->selector = NULL;
    luaL_setmetatable(L, SPT_HTML_SELECTOR_META);
    handle->selector = spt_html_selector_new(text, len, &error);
    if (handle->selector)
        return 1;
    if (!error.what[0])
        return spt_html_handle_push_failure(L, SPT_HTML_NO_MEMORY);
    lua_pushnil(L);
    lua_pushinteger(L, (lua_Integer)error.position + 1);
    lua_pushstring(L, error.what);
    return 3;
}

static int l_gc(lua_State *L)
{
    struct spt_html_selector_handle *handle = spt_check_self(L, "selector");
    struct spt_html_selector *selector = handle->selector;
    handle->selector = NULL;
    if (selector)
        spt_html_selector_unref(selector);
    return 0;
}

static const luaL_Reg methods[] = {{"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"html_selector", l_selector}, {NULL, NULL}};

void spt_open_html_selector(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_HTML_SELECTOR_META, methods);
    spt_add_functions(L, env, functions);
}
