/* SPDX-License-Identifier: MIT */
/* text: converts bytes of any charset to UTF-8 with iconv. Invalid bytes become U+FFFD. It handles
 * neither charset labels nor HTTP. */
#include <errno.h>
#include <iconv.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "core/check.h"
#include "lua/lib.h"
#include "op/env.h"
#include "septet/septet.h"

#define META        "septet.text.converter"
#define REPLACEMENT "\xef\xbf\xbd"

enum { SPARE = 16 }; /* bytes beyond the unread input: more than any one character takes */

/* Holds the resources of a conversion. The garbage collector releases them after an error. */
struct converter {
    bool open;
    iconv_t iconv;
    struct spt_buf out;
};

static void release(struct converter *c)
{
    if (c->open)
        iconv_close(c->iconv);
    c->open = false;
    spt_buf_release(&c->out);
}

static int l_gc(lua_State *L)
{
    release(spt_check_self(L, "converter"));
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

static int replace(struct converter *c)
{
    return spt_buf_append(&c->out, REPLACEMENT, strlen(REPLACEMENT));
}

/* --- UTF-8 itself --- */

static int repair(struct converter *c, const char *in, size_t len)
{
    size_t from = 0; /* the first valid byte not yet written */
    for (size_t i = 0, n; i < len; i += n) {
        bool good;
        n = spt_utf8_next(in + i, len - i, &good);
        if (good)
            continue;
        if (spt_buf_append(&c->out, in + from, i - from) != SEPTET_OK || replace(c) != SEPTET_OK)
            return SEPTET_ENOMEM;
        from = i + n;
    }
    return spt_buf_append(&c->out, in + from, len - from);
}

/* --- other charsets --- */

/* Converts as much as possible. Returns 0 at the end, EILSEQ or EINVAL for invalid bytes, E2BIG, or
 * ENOMEM. */
static int step(struct converter *c, char **in, size_t *left)
{
    if (spt_buf_reserve(&c->out, *left + SPARE) != SEPTET_OK)
        return ENOMEM;
    char *to = c->out.data + c->out.len;
    size_t room = c->out.cap - c->out.len;
    size_t rc = iconv(c->iconv, *in ? in : NULL, *in ? left : NULL, &to, &room);
    int why = rc == (size_t)-1 ? errno : 0;
    c->out.len = (size_t)(to - c->out.data);
    return why;
}

/* Appends the substitute for `n` invalid bytes. With `controls`, a byte of 0x80 to 0x9f becomes the
 * control character of that number. */
static int substitute(struct converter *c, const char *in, size_t n, bool controls)
{
    const unsigned char byte = (unsigned char)in[0];
    if (n != 1 || !controls || byte < 0x80 || byte > 0x9f)
        return replace(c);
    return spt_buf_append(&c->out, (const char[]){'\xc2', in[0]}, 2);
}

/* Converts `len` bytes. Invalid bytes are skipped by the charset's unit. */
static int convert(struct converter *c, char *in, size_t len, size_t unit, bool controls)
{
    size_t left = len, none = 0;
    while (left > 0) {
        int why = step(c, &in, &left);
        if (why == 0 || why == E2BIG)
            continue;
        size_t skipped =
            why == EINVAL || left < unit ? left : unit; /* EINVAL: the text ends inside one */
        if (why == ENOMEM || substitute(c, in, skipped, controls) != SEPTET_OK)
            return SEPTET_ENOMEM;
        in += skipped;
        left -= skipped;
    }
    in = NULL; /* some charsets hold back a character that the next may combine with */
    return step(c, &in, &none) == 0 ? SEPTET_OK : SEPTET_ENOMEM;
}

/* text_decode(bytes, charset, unit, controls): returns the bytes as UTF-8, or nil if iconv does not
 * know the charset. Invalid bytes are skipped by `unit` bytes. With `controls`, bytes that the
 * charset leaves undefined become control characters, as in browsers for the Windows charsets.
 * Without a charset the bytes should be UTF-8. */
static int l_decode(lua_State *L)
{
    size_t len;
    const char *bytes = spt_check_string(L, 1, &len);
    const char *charset = lua_isnoneornil(L, 2) ? NULL : spt_check_string(L, 2, NULL);
    size_t unit = charset ? (size_t)spt_check_count(L, 3, 1) : 1;
    bool controls = lua_toboolean(L, 4);
    struct converter *c = push_converter(L);
    if (charset) {
        c->iconv = iconv_open("UTF-8", charset);
        c->open = c->iconv != (iconv_t)-1; // NOLINT: how iconv says it
        if (!c->open)
            return 0;
    }
    int rc = charset ? convert(c, (char *)bytes, len, unit, controls) : repair(c, bytes, len);
    if (rc != SEPTET_OK) {
        release(c);
        return luaL_error(L, "%s", septet_strerror(rc));
    }
    lua_pushlstring(L, c->out.data ? c->out.data : "", c->out.len);
    release(c);
    return 1;
}

static const luaL_Reg methods[] = {{"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"text_decode", l_decode}, {NULL, NULL}};

void spt_open_text(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
