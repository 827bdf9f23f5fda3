/* SPDX-License-Identifier: MIT */
/* Makes URLs and text of others safe to show in errors, traces and warnings: without passwords and
 * without terminal control characters. */
#include "op/http/text.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/redact.h"
#include "core/check.h"
#include "op/env.h"
#include "op/http/openers.h"

const char *spt_http_text_shown(const char *text, char *out, size_t size)
{
    size_t len = strlen(text);
    if (spt_escape_keeps_text(text, len))
        return text;
    spt_escape_text(out, size, text, len);
    return out;
}

/* Pushes the text at 1, redacted as a URL or escaped. The buffer holds four times its length, the
 * maximum that escaping takes. */
static int push_shown(lua_State *L, bool is_url)
{
    size_t len;
    const char *text = spt_check_string(L, 1, &len);
    if (is_url ? strlen(text) == len && spt_redact_keeps_url(text)
               : spt_escape_keeps_text(text, len)) {
        lua_pushvalue(L, 1);
        return 1;
    }
    char *out = lua_newuserdatauv(L, 4 * len + 8, 0);
    if (is_url)
        lua_pushstring(L, spt_redact_url(text, out, 4 * len + 8));
    else
        lua_pushlstring(L, out, spt_escape_text(out, 4 * len + 8, text, len));
    return 1;
}

/* http_public(url): returns the URL as errors may show it, escaped and without a possible password.
 * A NUL ends the URL. */
static int l_public(lua_State *L)
{
    return push_shown(L, true);
}

/* escape(text): returns the text for a line on a terminal. Control characters and bytes that are
 * not UTF-8 become \xHH. */
static int l_escape(lua_State *L)
{
    return push_shown(L, false);
}

static const luaL_Reg functions[] = {{"http_public", l_public}, {"escape", l_escape}, {NULL, NULL}};

void spt_open_http_text(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
