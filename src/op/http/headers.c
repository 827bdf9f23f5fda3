/* SPDX-License-Identifier: MIT */
/* Checks the headers of requests once, for any number of requests. */
#include "op/http/headers.h"

#include <lauxlib.h>

#include "base/redact.h"
#include "core/check.h"
#include "core/error.h"
#include "http/headers.h"
#include "op/env.h"
#include "op/http/openers.h"
#include "septet/septet.h"

enum { NAME_SHOWN = 256 }; /* bytes of a header's name in an error */

static int l_headers_gc(lua_State *L)
{
    struct spt_headers_handle *handle = spt_check_self(L, "headers");
    spt_headers_free(handle->headers);
    handle->headers = NULL;
    return 0;
}

/* http_headers{name1, value1, name2, value2, ...}: returns checked header lines. Raises Usage for a
 * header that cannot be sent, with its name. */
static int l_headers(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_rawlen(L, 1) / 2, at = 0;
    const char *why = NULL;
    luaL_checkstack(L, 8, NULL);
    struct spt_header *pairs = lua_newuserdatauv(L, n * sizeof *pairs + 1, 0);
    struct spt_headers_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->headers = NULL;
    luaL_setmetatable(L, SPT_HEADERS_META);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)(2 * i + 1));
        lua_rawgeti(L, 1, (lua_Integer)(2 * i + 2));
        pairs[i].name = lua_tolstring(L, -2, &pairs[i].name_len);
        pairs[i].value = lua_tolstring(L, -1, &pairs[i].value_len);
        lua_pop(L, 2); /* the table keeps them alive */
    }
    int rc = spt_headers_new(&handle->headers, pairs, n, &why, &at);
    if (rc == SEPTET_EINVAL) {
        char name[NAME_SHOWN];
        spt_error_push(L, "Usage", "header '%s': %s",
                       spt_redact_url(pairs[at].name, name, sizeof name), why);
        return lua_error(L);
    }
    if (rc != SEPTET_OK)
        return luaL_error(L, "%s", septet_strerror(rc));
    return 1;
}

static const luaL_Reg methods[] = {{"__gc", l_headers_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"http_headers", l_headers}, {NULL, NULL}};

void spt_open_http_headers(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_HEADERS_META, methods);
    spt_add_functions(L, env, functions);
}
