/* SPDX-License-Identifier: MIT */
/* Exports what this build of Septet and its libcurl can do. */
#include <lauxlib.h>

#include "http/decoder.h"
#include "http/quirks.h"
#include "op/env.h"
#include "op/http/openers.h"
#include "op/library.h"

/* http_encodings(): returns the supported content codings, as a value of Accept-Encoding. */
static int l_encodings(lua_State *L)
{
    lua_pushliteral(L, SPT_CODINGS);
    return 1;
}

/* http2_refusal(): returns why HTTP/2 is disabled with this libcurl, or nil. */
static int l_http2_refusal(lua_State *L)
{
    spt_library_need(L, SPT_NEEDS_CURL);
    lua_pushstring(L, spt_quirks_http2_refusal(spt_env(L)->quirk_changes));
    return 1;
}

/* http_quirks(): returns a list of the words for the workarounds in use for this libcurl; an empty
 * one if it cannot be loaded. */
static int l_quirks(lua_State *L)
{
    struct spt_library_failure failure;
    const bool has_curl = spt_library_load(SPT_NEEDS_CURL, &failure);
    unsigned quirks = has_curl ? spt_quirks(spt_env(L)->quirk_changes) : 0;
    lua_Integer n = 0;
    lua_newtable(L);
    for (unsigned i = 0; i < SPT_QUIRKS; i++) {
        if (!(quirks >> i & 1u))
            continue;
        lua_pushstring(L, spt_quirks_word((enum spt_quirk)i));
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static const luaL_Reg functions[] = {{"http_encodings", l_encodings},
                                     {"http2_refusal", l_http2_refusal},
                                     {"http_quirks", l_quirks},
                                     {NULL, NULL}};

void spt_open_http_features(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
