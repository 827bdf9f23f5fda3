/* What errors, traces and warnings show of URLs and of what others wrote: no password, and nothing that a terminal would
 * obey. */
#include "base/escape.h"
#include "core/check.h"
#include "op/http_env.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* Returns the length of "scheme://", with any number and kind of slashes; 0 where there is none. */
static size_t scheme_len(const char *url)
{
    const char *p = url;
    while (isalnum((unsigned char)*p) || (*p && strchr("+.-", *p)))
        p++;
    if (p == url || p[0] != ':' || (p[1] != '/' && p[1] != '\\'))
        return 0;
    p++;
    return (size_t)(p - url) + strspn(p, "/\\");
}

/* Returns true if `text` begins with a host and perhaps a port, and nothing else stands before the path. */
static bool begins_with_host(const char *text)
{
    size_t len = text[0] == '[' ? strcspn(text, "]/?#\\@") : strcspn(text, ":/?#\\@");
    if (text[len] == ']')
        len++;
    if (len > 0 && text[len] == ':')
        len += 1 + strspn(text + len + 1, "0123456789");
    return len > 0 && (text[len] == '\0' || strchr("/?#", text[len]));
}

const char *spt_shown(const char *text, char *out, size_t size)
{
    size_t len = strlen(text);
    if (spt_is_printable(text, len))
        return text;
    spt_escape(out, size, text, len);
    return out;
}

const char *spt_public_url(const char *url, char *out, size_t size)
{
    const char *at = strrchr(url, '@');
    if (!at && spt_is_printable(url, strlen(url)))
        return url;
    size_t scheme = scheme_len(url);
    bool plain = !at || (scheme >= 3 && memcmp(url + scheme - 3, "://", 3) == 0 &&
                         begins_with_host(url + scheme));
    const char *rest = plain ? url + scheme : at + 1;
    size_t used = spt_escape(out, size, url, scheme);
    if (!plain && scheme == 0)
        used += spt_escape(out + used, size - used, "...@", 4);
    spt_escape(out + used, size - used, rest, strlen(rest));
    return out;
}

/* Pushes the text at 1 as `show` writes it, which takes room for four times its length. */
static int push_shown(lua_State *L, bool is_url)
{
    size_t len;
    const char *text = spt_check_string(L, 1, &len);
    if (spt_is_printable(text, len) && !(is_url && memchr(text, '@', len))) {
        lua_pushvalue(L, 1);
        return 1;
    }
    char *out = lua_newuserdatauv(L, 4 * len + 8, 0);
    if (is_url)
        lua_pushstring(L, spt_public_url(text, out, 4 * len + 8));
    else
        lua_pushlstring(L, out, spt_escape(out, 4 * len + 8, text, len));
    return 1;
}

/* http_public(url): the URL as errors may show it: without what may be a password, and escaped. It ends at a NUL. */
static int l_public(lua_State *L)
{
    return push_shown(L, true);
}

/* escape(text): the text as a line of a terminal may have it: control characters and bytes that are not UTF-8 as \xHH. */
static int l_escape(lua_State *L)
{
    return push_shown(L, false);
}

static const luaL_Reg functions[] = {{"http_public", l_public}, {"escape", l_escape}, {NULL, NULL}};

void spt_open_http_text(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
