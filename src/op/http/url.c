/* SPDX-License-Identifier: MIT */
/* Exports the functions of http/url.h to the modules in Lua. */
#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "http/url.h"
#include "op/env.h"
#include "op/http/openers.h"

static int push_word(lua_State *L, const char *word)
{
    lua_pushnil(L);
    lua_pushstring(L, word);
    return 2;
}

/* http_resolve(base, reference, below): returns the URL to which a reference leads from a base. The
 * base may be nil if the reference is absolute. With `below`, a relative reference must stay on the
 * base's host. Returns nil and a word for the error if either is invalid. */
static int l_resolve(lua_State *L)
{
    size_t base_len = 0, len;
    const char *base_text = lua_isnil(L, 1) ? NULL : spt_check_string(L, 1, &base_len);
    const char *text = spt_check_string(L, 2, &len);
    enum spt_url_way way = lua_toboolean(L, 3) ? SPT_URL_BELOW : SPT_URL_LINK;
    struct spt_url base, url;
    const char *word = NULL;
    char *out = lua_newuserdatauv(L, SPT_URL_ROOM(base_len, len), 0); /* nothing may raise later */
    if (base_text)
        word = spt_url_resolve(&base, NULL, base_text, base_len, SPT_URL_ABSOLUTE);
    if (word)
        return push_word(L, word);
    word = spt_url_resolve(&url, base_text ? &base : NULL, text, len, way);
    if (base_text)
        spt_url_release(&base);
    if (word)
        return push_word(L, word);
    memcpy(out, url.text, url.len);
    spt_url_release(&url);
    lua_pushlstring(L, out, url.len);
    return 1;
}

/* http_origin(url): returns scheme, host and port in canonical form, as "http://host", without the
 * scheme's default port. Returns nil if the text is not a URL. */
static int l_origin(lua_State *L)
{
    struct spt_url url;
    size_t len;
    const char *text = spt_check_string(L, 1, &len);
    if (spt_url_resolve(&url, NULL, text, len, SPT_URL_ABSOLUTE))
        return 0;
    char origin[SPT_HOSTNAME_SIZE + 16]; /* the URL must be released before anything may raise */
    size_t n = url.path;
    memcpy(origin, url.text, n);
    spt_url_release(&url);
    lua_pushlstring(L, origin, n);
    return 1;
}

/* http_authority(text): returns the canonical host of "host[:port]", and the port or nil. Returns
 * nil and a word for the error if it is invalid. */
static int l_authority(lua_State *L)
{
    struct spt_hostname host;
    size_t len;
    int port;
    const char *text = spt_check_string(L, 1, &len);
    const char *word = spt_hostname_read_authority(&host, &port, text, len);
    if (word)
        return push_word(L, word);
    lua_pushlstring(L, host.text, host.len);
    if (port == 0)
        return 1;
    lua_pushinteger(L, port);
    return 2;
}

static const luaL_Reg functions[] = {{"http_resolve", l_resolve},
                                     {"http_origin", l_origin},
                                     {"http_authority", l_authority},
                                     {NULL, NULL}};

void spt_open_http_url(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
