/* SPDX-License-Identifier: MIT */
/* digest, hash: digests and HMACs with OpenSSL. The digest of a file is in op/hash_file.c, and of
 * one that is written in op/file.c. */
#include <lauxlib.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdbool.h>

#include "base/hex.h"
#include "core/check.h"
#include "core/error.h"
#include "lua/lib.h"
#include "op/env.h"
#include "op/library.h"

#define META "septet.hash"

enum { RANDOM_MAX = 1 << 20 }; /* bytes */

/* A digest or an HMAC of what was added so far. The garbage collector frees it. */
struct hash {
    EVP_MD_CTX *digest; /* NULL for an HMAC */
    EVP_MAC_CTX *mac;   /* NULL for a digest */
};

/* digest(name, bytes): returns the digest in hexadecimal. */
static int l_digest(lua_State *L)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE];
    size_t len;
    unsigned n;
    const char *name = spt_check_string(L, 1, NULL), *bytes = spt_check_string(L, 2, &len);
    spt_library_need(L, SPT_NEEDS_CRYPTO);
    const EVP_MD *type = EVP_get_digestbyname(name);
    if (!type)
        return spt_error_usage(L, "no such digest: '%s'", name);
    if (!EVP_Digest(bytes, len, md, &n, type, NULL))
        return spt_error_no_memory(L);
    spt_hex(hex, md, n);
    lua_pushlstring(L, hex, 2 * n);
    return 1;
}

/* --- objects --- */

static bool begin_digest(struct hash *hash, const EVP_MD *md)
{
    hash->digest = EVP_MD_CTX_new();
    return hash->digest && EVP_DigestInit_ex(hash->digest, md, NULL);
}

static bool begin_mac(struct hash *hash, const EVP_MD *md, const char *key, size_t key_len)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    hash->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)EVP_MD_get0_name(md), 0),
        OSSL_PARAM_construct_end()};
    return hash->mac && EVP_MAC_init(hash->mac, (const unsigned char *)key, key_len, params);
}

/* hash_new(name, key): returns a hash of nothing, by OpenSSL's name of the digest. With a key, it
 * is an HMAC. Returns nil if OpenSSL does not offer the digest. */
static int l_new(lua_State *L)
{
    size_t key_len = 0;
    const char *name = spt_check_string(L, 1, NULL);
    const char *key = lua_isnoneornil(L, 2) ? NULL : spt_check_string(L, 2, &key_len);
    spt_library_need(L, SPT_NEEDS_CRYPTO);
    struct hash *hash = lua_newuserdatauv(L, sizeof *hash, 0);
    *hash = (struct hash){NULL, NULL};
    luaL_setmetatable(L, META);
    EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
    bool ok = md && (key ? begin_mac(hash, md, key, key_len) : begin_digest(hash, md));
    EVP_MD_free(md);
    ERR_clear_error();
    if (!ok)
        lua_pushnil(L);
    return 1;
}

/* Returns the hash. A finalizer may have it after its own. */
static struct hash *check_hash(lua_State *L)
{
    struct hash *hash = spt_check_self(L, "hash");
    if (!hash->digest && !hash->mac)
        spt_error_usage(L, "the hash is gone");
    return hash;
}

/* hash:update(bytes, first, last): adds the bytes from `first` to `last`. */
static int l_update(lua_State *L)
{
    size_t len;
    struct hash *hash = check_hash(L);
    const char *bytes = spt_check_string(L, 2, &len);
    lua_Integer first = spt_check_count(L, 3, 1), last = spt_check_count(L, 4, 0);
    if (last > (lua_Integer)len || first > last)
        return 0;
    bytes += first - 1;
    len = (size_t)(last - first) + 1;
    int ok = hash->mac ? EVP_MAC_update(hash->mac, (const unsigned char *)bytes, len)
                       : EVP_DigestUpdate(hash->digest, bytes, len);
    return ok ? 0 : spt_error_no_memory(L);
}

/* Writes the result of a copy, so that more bytes may be added. Returns its length, or 0. */
static size_t finish(const struct hash *hash, unsigned char md[EVP_MAX_MD_SIZE])
{
    size_t len = 0;
    if (hash->mac) {
        EVP_MAC_CTX *copy = EVP_MAC_CTX_dup(hash->mac);
        if (!copy || !EVP_MAC_final(copy, md, &len, EVP_MAX_MD_SIZE))
            len = 0;
        EVP_MAC_CTX_free(copy);
        return len;
    }
    unsigned n = 0;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    if (copy && EVP_MD_CTX_copy_ex(copy, hash->digest) && EVP_DigestFinal_ex(copy, md, &n))
        len = n;
    EVP_MD_CTX_free(copy);
    return len;
}

/* hash:finish(): returns the result for all bytes so far. */
static int l_finish(lua_State *L)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    size_t len = finish(check_hash(L), md);
    if (len == 0)
        return spt_error_no_memory(L);
    lua_pushlstring(L, (const char *)md, len);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct hash *hash = spt_check_self(L, "hash");
    EVP_MD_CTX_free(hash->digest);
    EVP_MAC_CTX_free(hash->mac);
    *hash = (struct hash){NULL, NULL};
    return 0;
}

/* --- other functions --- */

/* random_bytes(n): returns bytes that nothing can guess. */
static int l_random(lua_State *L)
{
    lua_Integer n = spt_check_count(L, 1, 0);
    luaL_Buffer b;
    if (n > RANDOM_MAX)
        return spt_error_usage(L, "at most %d random bytes at once", RANDOM_MAX);
    spt_library_need(L, SPT_NEEDS_CRYPTO);
    char *out = luaL_buffinitsize(L, &b, (size_t)n);
    if (n > 0 && RAND_bytes((unsigned char *)out, (int)n) != 1)
        return luaL_error(L, "the system has no random bytes");
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

/* equal(a, b): compares two strings in a time that depends on their lengths only. */
static int l_equal(lua_State *L)
{
    size_t len, other_len;
    const char *bytes = spt_check_string(L, 1, &len), *other = spt_check_string(L, 2, &other_len);
    spt_library_need(L, SPT_NEEDS_CRYPTO);
    lua_pushboolean(L, len == other_len && CRYPTO_memcmp(bytes, other, len) == 0);
    return 1;
}

static const luaL_Reg methods[] = {
    {"update", l_update}, {"finish", l_finish}, {"__gc", l_gc}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"digest", l_digest},
                                     {"hash_new", l_new},
                                     {"random_bytes", l_random},
                                     {"equal", l_equal},
                                     {NULL, NULL}};

void spt_open_hash(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
