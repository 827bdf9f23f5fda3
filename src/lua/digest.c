/* SPDX-License-Identifier: MIT */
/* digest: computes the digest of a string with OpenSSL. The digest of a file is in op/file.c. */
#include <lauxlib.h>
#include <openssl/evp.h>

#include "base/hex.h"
#include "core/check.h"
#include "core/error.h"
#include "lua/lib.h"
#include "op/env.h"

/* digest(name, bytes): returns the digest in hexadecimal. */
static int l_digest(lua_State *L)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    size_t len;
    unsigned n;
    const char *name = spt_check_string(L, 1, NULL), *bytes = spt_check_string(L, 2, &len);
    const EVP_MD *type = EVP_get_digestbyname(name);
    if (!type)
        return spt_error_usage(L, "no such digest: '%s'", name);
    if (!EVP_Digest(bytes, len, md, &n, type, NULL))
        return luaL_error(L, "not enough memory");
    spt_hex(hex, md, n);
    lua_pushlstring(L, hex, 2 * n);
    return 1;
}

static const luaL_Reg functions[] = {{"digest", l_digest}, {NULL, NULL}};

void spt_open_digest(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
