/* SPDX-License-Identifier: MIT */
/* text: converts bytes of any charset to UTF-8. It handles neither charset labels nor HTTP. */
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/transcode.h"
#include "core/check.h"
#include "lua/lib.h"
#include "op/env.h"
#include "septet/septet.h"

#define META "septet.text.converter"

/* Holds the result of a conversion. The garbage collector releases it after an error. */
struct converter {
    struct spt_buf out;
};

static int l_gc(lua_State *L)
{
    spt_buf_release(&((struct converter *)spt_check_self(L, "converter"))->out);
    return 0;
}

static struct converter *push_converter(lua_State *L)
{
    struct converter *c = lua_newuserdatauv(L, sizeof *c, 0);
    *c = (struct converter){0};
    spt_buf_init(&c->out, SIZE_MAX / 2);
    luaL_setmetatable(L, META);
    return c;
}

/* text_decode(bytes, charset, unit, controls): returns the bytes as UTF-8, or nil if iconv does not
 * know the charset. Invalid bytes are skipped by `unit` bytes. With `controls`, bytes that the
 * charset leaves undefined become control characters, as in browsers for the Windows charsets.
 * Without a charset the bytes should be UTF-8. */
static int l_decode(lua_State *L)
{
    size_t len;
    const char *bytes = spt_check_string(L, 1, &len);
    struct spt_transcode how = {.unit = 1, .controls = lua_toboolean(L, 4)};
    how.charset = lua_isnoneornil(L, 2) ? NULL : spt_check_string(L, 2, NULL);
    if (how.charset)
        how.unit = (size_t)spt_check_count(L, 3, 1);
    struct converter *c = push_converter(L);
    int rc = spt_transcode(&c->out, bytes, len, &how);
    if (rc == SEPTET_OK)
        lua_pushlstring(L, c->out.data ? c->out.data : "", c->out.len);
    spt_buf_release(&c->out);
    if (rc == SEPTET_EINVAL)
        return 0;
    return rc == SEPTET_OK ? 1 : luaL_error(L, "%s", septet_strerror(rc));
}

static const luaL_Reg methods[] = {{"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"text_decode", l_decode}, {NULL, NULL}};

void spt_open_text(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
