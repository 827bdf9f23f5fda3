/* SPDX-License-Identifier: MIT */
/* cookies: lists, sets and clears the cookies of a session for scripts. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "core/check.h"
#include "core/error.h"
#include "http/cookies.h"
#include "http/session.h"
#include "op/env.h"
#include "op/fields.h"
#include "op/http/openers.h"
#include "op/http/session.h"
#include "septet/septet.h"

#define EXPIRES_MAX 253402300799 /* the end of the year 9999, in Unix time */

static struct spt_jar *check_jar(lua_State *L)
{
    struct spt_session_handle *handle = spt_check_udata(L, 1, SPT_SESSION_META, "session");
    if (!handle->session)
        spt_error_usage(L, "the session is closed");
    return spt_session_jar(handle->session);
}

/* --- the list --- */

/* A cookie in a copy of those of a jar: its text follows. */
struct copied {
    size_t size; /* bytes from this one to the next */
    int64_t expires;
    size_t name_len, value_len, domain_len, path_len;
    bool host_only, secure, http_only;
    char text[];
};

static size_t size_of_copy(const struct spt_cookie *c)
{
    const size_t to = _Alignof(struct copied);
    const size_t n = c->name_len + c->value_len + c->domain_len + c->path_len;
    return (sizeof(struct copied) + n + to - 1) / to * to;
}

static void copy_cookie(struct copied *copy, const struct spt_cookie *c)
{
    *copy = (struct copied){.size = size_of_copy(c),
                            .expires = c->expires,
                            .name_len = c->name_len,
                            .value_len = c->value_len,
                            .domain_len = c->domain_len,
                            .path_len = c->path_len,
                            .host_only = c->host_only,
                            .secure = c->secure,
                            .http_only = c->http_only};
    char *at = mempcpy(copy->text, c->name, c->name_len);
    at = mempcpy(at, c->value, c->value_len);
    at = mempcpy(at, c->domain, c->domain_len);
    memcpy(at, c->path, c->path_len);
}

/* Returns the bytes of a copy of the cookies that `site`, unless it is NULL, gets. Makes it at
 * `to`, unless that is NULL. */
static size_t copy_cookies(char *to, const struct spt_jar *jar, const struct spt_cookie_site *site,
                           int64_t now)
{
    size_t size = 0;
    for (const struct spt_cookie *c = NULL; (c = spt_jar_next(jar, c));) {
        if (site ? !spt_jar_sends(c, site, now) : c->expires <= now)
            continue;
        if (to)
            copy_cookie((struct copied *)(void *)(to + size), c);
        size += size_of_copy(c);
    }
    return size;
}

/* Sets a field to the text at `*text`, and moves that behind it. */
static void set_text(lua_State *L, const char *name, const char **text, size_t len)
{
    lua_pushlstring(L, *text, len);
    lua_setfield(L, -2, name);
    *text += len;
}

static void push_cookie(lua_State *L, const struct copied *c)
{
    const char *text = c->text;
    lua_createtable(L, 0, 8);
    set_text(L, "name", &text, c->name_len);
    set_text(L, "value", &text, c->value_len);
    set_text(L, "domain", &text, c->domain_len);
    set_text(L, "path", &text, c->path_len);
    spt_fields_set_flag(L, "host_only", c->host_only);
    spt_fields_set_flag(L, "secure", c->secure);
    spt_fields_set_flag(L, "http_only", c->http_only);
    if (c->expires == INT64_MAX)
        return;
    lua_pushinteger(L, (lua_Integer)c->expires);
    lua_setfield(L, -2, "expires");
}

/* Pushes a copy of the cookies, because a finalizer may change the jar or close the session
 * whenever something is pushed. */
static const char *push_copy(lua_State *L, const struct spt_cookie_site *site, int64_t now,
                             size_t *size)
{
    char *copy;
    size_t room;
    do {
        room = copy_cookies(NULL, check_jar(L), site, now);
        copy = lua_newuserdatauv(L, room, 0);
        *size = copy_cookies(NULL, check_jar(L), site, now);
    } while (*size > room);
    copy_cookies(copy, check_jar(L), site, now);
    return copy;
}

/* session:cookies(url): returns a list of the cookies that have not expired, or of those that a URL
 * in normal form gets. */
static int l_cookies(lua_State *L)
{
    const char *url = luaL_optstring(L, 2, NULL);
    struct spt_cookie_site site;
    size_t size;
    lua_Integer n = 0;
    if (url)
        spt_cookie_site_of(&site, url);
    const char *copy = push_copy(L, url ? &site : NULL, time(NULL), &size);
    lua_newtable(L);
    for (size_t at = 0; at < size;) {
        const struct copied *c = (const struct copied *)(const void *)(copy + at);
        push_cookie(L, c);
        lua_rawseti(L, -2, ++n);
        at += c->size;
    }
    return 1;
}

/* --- changes --- */

/* Returns the text at `arg`, with a NULL for nil. */
static struct spt_piece opt_piece(lua_State *L, int arg)
{
    struct spt_piece p = {NULL, 0};
    if (!lua_isnoneornil(L, arg))
        p.at = spt_check_string(L, arg, &p.len);
    return p;
}

/* Returns the instant at `arg` in whole seconds, rounded down. */
static int64_t opt_expires(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return INT64_MAX;
    lua_Number at = floor(luaL_checknumber(L, arg));
    return at < 0 ? 0 : at < EXPIRES_MAX ? (int64_t)at : EXPIRES_MAX;
}

/* session:put_cookie(name, value, domain, path, expires, host_only, secure, http_only): sets a
 * cookie, or removes the one that an expired one replaces. `expires` is Unix time, or nil for the
 * end of the session. Returns what is wrong with the cookie, or nil. */
static int l_put_cookie(lua_State *L)
{
    struct spt_jar *jar = check_jar(L);
    struct spt_set_cookie cookie = {
        .name = opt_piece(L, 2),
        .value = opt_piece(L, 3),
        .domain = opt_piece(L, 4),
        .path = opt_piece(L, 5),
        .expires = opt_expires(L, 6),
        .host_only = lua_toboolean(L, 7),
        .secure = lua_toboolean(L, 8),
        .http_only = lua_toboolean(L, 9),
    };
    const char *fault = spt_set_cookie_check(&cookie);
    if (!fault && spt_jar_put(jar, &cookie, time(NULL)) != SEPTET_OK)
        return luaL_error(L, "%s", septet_strerror(SEPTET_ENOMEM));
    lua_pushstring(L, fault);
    return 1;
}

/* session:clear_cookies(name, domain, path): removes the cookies that have these, each of which is
 * any if it is nil. Returns their number. */
static int l_clear_cookies(lua_State *L)
{
    struct spt_jar *jar = check_jar(L);
    lua_pushinteger(L, spt_jar_clear(jar, opt_piece(L, 2), opt_piece(L, 3), opt_piece(L, 4)));
    return 1;
}

static const luaL_Reg methods[] = {{"cookies", l_cookies},
                                   {"put_cookie", l_put_cookie},
                                   {"clear_cookies", l_clear_cookies},
                                   {NULL, NULL}};

void spt_open_http_cookies(lua_State *L, struct spt_env *env)
{
    spt_add_methods(L, env, SPT_SESSION_META, methods);
}
