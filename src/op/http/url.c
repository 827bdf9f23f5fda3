/* SPDX-License-Identifier: MIT */
/* Exports the functions of http/url.h and http/percent.h to the modules in Lua. */
#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "http/percent.h"
#include "http/url.h"
#include "op/env.h"
#include "op/http/openers.h"
#include "op/library.h"

static int push_word(lua_State *L, const char *word)
{
    lua_pushnil(L);
    lua_pushstring(L, word);
    return 2;
}

static const char *try_to_resolve(lua_State *L, struct spt_url *url, int base_at, int text_at,
                                  enum spt_url_way way)
{
    size_t base_len = 0, len;
    const char *base_text = base_at ? spt_check_string(L, base_at, &base_len) : NULL;
    const char *text = spt_check_string(L, text_at, &len);
    const enum spt_url_way base_way = way == SPT_URL_ANY ? way : SPT_URL_ABSOLUTE;
    struct spt_url base;
    char *out = lua_newuserdatauv(L, SPT_URL_ROOM(base_len, len), 0);
    const char *word =
        base_text ? spt_url_resolve(&base, NULL, base_text, base_len, base_way) : NULL;
    if (word)
        return word;
    word = base_text && base.scheme == 0
               ? "no_scheme"
               : spt_url_resolve(url, base_text ? &base : NULL, text, len, way);
    if (base_text)
        spt_url_release(&base);
    if (word)
        return word;
    memcpy(out, url->text, url->len);
    spt_url_release(url);
    url->text = out;
    return NULL;
}

/* Resolves the reference at `text_at` against the base at `base_at`, or 0 for none. The URL's text
 * is a userdata on the stack, so that nothing has to be released. Returns NULL or a word. */
static const char *resolve(lua_State *L, struct spt_url *url, int base_at, int text_at,
                           enum spt_url_way way)
{
    const char *word;
    do
        word = try_to_resolve(L, url, base_at, text_at, way);
    while (spt_library_was_missing(L, word));
    return word;
}

/* http_resolve(base, reference, below): returns the URL to which a reference leads from a base. The
 * base may be nil if the reference is absolute. With `below`, a relative reference must stay on the
 * base's host. Returns nil and a word for the error if either is invalid. */
static int l_resolve(lua_State *L)
{
    struct spt_url url;
    enum spt_url_way way = lua_toboolean(L, 3) ? SPT_URL_BELOW : SPT_URL_LINK;
    const char *word = resolve(L, &url, lua_isnil(L, 1) ? 0 : 1, 2, way);
    if (word)
        return push_word(L, word);
    lua_pushlstring(L, url.text, url.len);
    return 1;
}

/* Returns the offset of what a word of spt_url_resolve() is about. */
static size_t place_of(const char *text, size_t len, const char *word)
{
    if (strcmp(word, "characters") == 0)
        return spt_url_bad_byte(text, len);
    const char *slashes = strcmp(word, "no_scheme") == 0 ? NULL : memmem(text, len, "//", 2);
    return slashes ? (size_t)(slashes - text) + 2 : 0;
}

/* url_resolve(base, reference): returns the URL to which a reference leads from a base, in any
 * scheme. Returns nil, a word for the error, which of the two is invalid, and where. */
static int l_url_resolve(lua_State *L)
{
    struct spt_url url, base;
    size_t len;
    const char *word = resolve(L, &url, 1, 2, SPT_URL_ANY);
    if (!word) {
        lua_pushlstring(L, url.text, url.len);
        return 1;
    }
    const char *base_word = resolve(L, &base, 0, 1, SPT_URL_ANY);
    int bad = base_word || base.scheme == 0 ? 1 : 2;
    const char *text = lua_tolstring(L, bad, &len);
    push_word(L, word);
    lua_pushinteger(L, bad);
    lua_pushinteger(L, (lua_Integer)place_of(text, len, word) + 1);
    return 4;
}

/* Pushes a part of the URL, percent-decoded into the userdata `room`, or nil if it is missing. */
static void push_decoded(lua_State *L, const char *from, const char *end, char *room)
{
    size_t bad;
    if (!from)
        lua_pushnil(L);
    else
        lua_pushlstring(L, room, spt_percent_decode(room, from, (size_t)(end - from), false, &bad));
}

/* Pushes the user and the password, or nil for what is missing. */
static void push_user(lua_State *L, const struct spt_url *url, char *room)
{
    const char *end = url->text + url->host_start - 1; /* at the '@' */
    const char *from = url->text + url->scheme + (url->scheme > 0) + 2;
    bool has_user = url->has_authority && end >= from && *end == '@';
    const char *colon = has_user ? memchr(from, ':', (size_t)(end - from)) : NULL;
    push_decoded(L, has_user ? from : NULL, colon ? colon : end, room);
    push_decoded(L, colon ? colon + 1 : NULL, end, room);
}

/* Pushes the host as names are looked up: decoded, and without brackets. */
static void push_host(lua_State *L, const struct spt_url *url, char *room)
{
    const char *from = url->text + url->host_start, *end = url->text + url->host_end;
    bool brackets = end > from && *from == '[';
    push_decoded(L, url->has_authority ? from + brackets : NULL, end - brackets, room);
}

/* Pushes a part without the byte that begins it, or nil if it is missing. */
static void push_part(lua_State *L, const struct spt_url *url, size_t from, size_t end)
{
    if (from == end)
        lua_pushnil(L);
    else
        lua_pushlstring(L, url->text + from + 1, end - from - 1);
}

/* url_parse(text): returns the URL in normal form, its scheme, user, password, host, port, path,
 * query and fragment. Returns nil, a word for the error, 1 and where the text is invalid. */
static int l_url_parse(lua_State *L)
{
    struct spt_url url;
    const char *word = resolve(L, &url, 0, 1, SPT_URL_ANY);
    if (word) {
        size_t len;
        const char *text = lua_tolstring(L, 1, &len);
        push_word(L, word);
        lua_pushinteger(L, 1);
        lua_pushinteger(L, (lua_Integer)place_of(text, len, word) + 1);
        return 4;
    }
    char *room = lua_newuserdatauv(L, url.len + 1, 0);
    luaL_checkstack(L, 12, NULL);
    lua_pushlstring(L, url.text, url.len);
    if (url.scheme > 0)
        lua_pushlstring(L, url.text, url.scheme);
    else
        lua_pushnil(L);
    push_user(L, &url, room);
    push_host(L, &url, room);
    if (url.port)
        lua_pushinteger(L, url.port);
    else
        lua_pushnil(L);
    lua_pushlstring(L, url.text + url.path, url.query - url.path);
    push_part(L, &url, url.query, url.fragment);
    push_part(L, &url, url.fragment, url.len);
    return 9;
}

/* url_encode(text): returns the text with all but unreserved bytes percent-encoded. */
static int l_url_encode(lua_State *L)
{
    size_t len;
    luaL_Buffer b;
    const char *text = spt_check_string(L, 1, &len);
    char *out = luaL_buffinitsize(L, &b, 3 * len);
    luaL_pushresultsize(&b, spt_percent_encode(out, text, len, SPT_PERCENT_COMPONENT));
    return 1;
}

/* url_decode(text, plus): returns the decoded text, and where the first percent sign is that is not
 * followed by two digits, or nil. */
static int l_url_decode(lua_State *L)
{
    size_t len, bad;
    luaL_Buffer b;
    const char *text = spt_check_string(L, 1, &len);
    bool plus = lua_toboolean(L, 2);
    char *out = luaL_buffinitsize(L, &b, len);
    luaL_pushresultsize(&b, spt_percent_decode(out, text, len, plus, &bad));
    if (bad == len)
        return 1;
    lua_pushinteger(L, (lua_Integer)bad + 1);
    return 2;
}

/* url_normalize(part): returns the part of a URL with its percent-encoding in one form. */
static int l_url_normalize(lua_State *L)
{
    size_t len;
    luaL_Buffer b;
    const char *text = spt_check_string(L, 1, &len);
    char *out = luaL_buffinitsize(L, &b, 3 * len);
    luaL_pushresultsize(&b, spt_percent_normalize(out, text, len));
    return 1;
}

/* http_origin(url): returns scheme, host and port in canonical form, as "http://host", without the
 * scheme's default port. Returns nil if the text is not a URL. */
static int l_origin(lua_State *L)
{
    struct spt_url url;
    size_t len;
    const char *text = spt_check_string(L, 1, &len);
    const char *word;
    do
        word = spt_url_resolve(&url, NULL, text, len, SPT_URL_ABSOLUTE);
    while (spt_library_was_missing(L, word));
    if (word)
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
    const char *word;
    do
        word = spt_hostname_read_authority(&host, &port, text, len);
    while (spt_library_was_missing(L, word));
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
                                     {"url_resolve", l_url_resolve},
                                     {"url_parse", l_url_parse},
                                     {"url_encode", l_url_encode},
                                     {"url_decode", l_url_decode},
                                     {"url_normalize", l_url_normalize},
                                     {NULL, NULL}};

void spt_open_http_url(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
