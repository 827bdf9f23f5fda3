/* SPDX-License-Identifier: MIT */
/* json_encode: encodes a Lua value as JSON text, directly into a buffer. */
#include <float.h>
#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "core/check.h"
#include "core/error.h"
#include "lua/json.h"
#include "lua/lib.h"
#include "lua/spare.h"
#include "op/env.h"
#include "septet/septet.h"

#define META "septet.json.text"

enum {
    KEY_SHOWN = 64,  /* bytes of a key in a message */
    ENDS = 3,        /* levels in a message from each end of a long path */
    FLOAT_MAX = 40,  /* maximum bytes of a float */
    KEPT_MAX = 4096, /* bytes of a buffer that is kept for the next text */
    FEW_KEYS = 8     /* of an object: its keys are on the stack while it is encoded */
};

/* The position of the encoder in the value: a list from the innermost place outward. */
struct place {
    const struct place *around; /* NULL for the whole value */
    const char *key;            /* NULL for an item of an array */
    lua_Integer index;
    lua_Integer depth;
    const void *value; /* the table at this place; the value of lua_topointer() */
};

struct encoder {
    lua_State *L;
    /* in its userdata's block; the garbage collector frees it after an error */
    struct spt_buf *out;
    lua_Integer depth;  /* maximum nesting of arrays and objects */
    lua_Integer indent; /* spaces per level; 0 for a single line */
};

struct key {
    const char *s; /* borrowed from a string that a list on the stack keeps alive */
    size_t len;
};

static void encode(struct encoder *e, int index, const struct place *at);

/* --- errors --- */

static void push_place(lua_State *L, const struct place *at, lua_Integer last)
{
    if (!at->around) {
        lua_pushliteral(L, "the value");
        return;
    }
    luaL_checkstack(L, 8, NULL);
    push_place(L, at->around, last);
    if (at->depth > ENDS && at->depth <= last - ENDS) {
        lua_pushstring(L, at->depth == ENDS + 1 ? "..." : "");
    } else if (at->key) {
        lua_pushliteral(L, ".");
        lua_pushlstring(L, at->key, strnlen(at->key, KEY_SHOWN));
        lua_concat(L, 2);
    } else {
        lua_pushfstring(L, "[%I]", (LUAI_UACINT)at->index);
    }
    lua_concat(L, 2);
}

static int cannot(struct encoder *e, const struct place *at, const char *what)
{
    push_place(e->L, at, at->depth);
    return spt_error_usage(e->L, "cannot encode %s: %s", lua_tostring(e->L, -1), what);
}

/* --- text --- */

static void write(struct encoder *e, const char *bytes, size_t n)
{
    if (spt_buf_append(e->out, bytes, n) != SEPTET_OK)
        spt_error_no_memory(e->L);
}

static void write_char(struct encoder *e, char c)
{
    write(e, &c, 1);
}

/* Begins a line at a level, unless all is on a single line. */
static void write_line(struct encoder *e, lua_Integer level)
{
    if (e->indent == 0)
        return;
    write_char(e, '\n');
    for (lua_Integer i = 0; i < level * e->indent; i++)
        write_char(e, ' ');
}

/* --- strings and numbers --- */

static void write_escape(struct encoder *e, unsigned char c)
{
    static const char short_ones[] = "\"\"\\\\b\bf\fn\nr\rt\t"; /* letter, character */
    char text[8];
    for (const char *s = short_ones; *s; s += 2) {
        if ((unsigned char)s[1] == c) {
            text[0] = '\\';
            text[1] = s[0];
            write(e, text, 2);
            return;
        }
    }
    write(e, text, (size_t)snprintf(text, sizeof text, "\\u%04X", c));
}

/* Writes a string. `bad` is the error message if it is not UTF-8. */
static void write_string(struct encoder *e, const char *s, size_t len, const struct place *at,
                         const char *bad)
{
    size_t from = 0, n; /* from: the first byte not yet written */
    bool good;
    write_char(e, '"');
    for (size_t i = 0; i < len; i += n) {
        unsigned char c = (unsigned char)s[i];
        n = spt_utf8_next(s + i, len - i, &good);
        if (!good)
            cannot(e, at, bad);
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        write(e, s + from, i - from);
        write_escape(e, c);
        from = i + 1;
    }
    write(e, s + from, len - from);
    write_char(e, '"');
}

/* Writes the output of printf for a float in JSON's format. The decimal point does not depend on
 * the locale, and the exponent has no plus and no leading zero. A float without either gets a
 * fraction, so that it is decoded as a float. */
static void write_formatted(struct encoder *e, const char *text)
{
    char out[FLOAT_MAX + 2];
    size_t n = 0;
    bool is_float = false;
    for (const char *p = text; *p; p++) {
        if (*p == 'e') {
            is_float = true;
            out[n++] = 'e';
            if (p[1] == '-')
                out[n++] = '-';
            p += strspn(p + 1, "+-0");
        } else if (*p == '-' || (*p >= '0' && *p <= '9')) {
            out[n++] = *p;
        } else if (!is_float) {
            is_float = true;
            out[n++] = '.';
        }
    }
    write(e, out, n);
    if (!is_float)
        write(e, ".0", 2);
}

/* Writes the shortest text that is decoded as the same float. Up to 15 digits always survive,
 * except for numbers so small that they have fewer bits. */
static void write_float(struct encoder *e, lua_Number n, const struct place *at)
{
    char text[FLOAT_MAX];
    if (!isfinite(n))
        cannot(e, at, "a number that JSON cannot represent");
    for (int digits = fabs(n) < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, n);
        if (strtod(text, NULL) == n)
            break;
    }
    write_formatted(e, text);
}

static void write_integer(struct encoder *e, lua_Integer n)
{
    char text[24];
    size_t at = sizeof text;
    lua_Unsigned rest = n < 0 ? 0 - (lua_Unsigned)n : (lua_Unsigned)n;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0)
        text[--at] = '-';
    write(e, text + at, sizeof text - at);
}

static void write_number(struct encoder *e, int index, const struct place *at)
{
    if (lua_isinteger(e->L, index))
        write_integer(e, lua_tointeger(e->L, index));
    else
        write_float(e, lua_tonumber(e->L, index), at);
}

/* --- tables --- */

static bool is_marked(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, SPT_JSON_ARRAY_META);
    bool marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

/* Returns true if the table is an array. Sets `*count` to the number of its items or members. */
static bool is_array(struct encoder *e, int index, const struct place *at, size_t *count)
{
    lua_State *L = e->L;
    lua_Integer n = 0, strings = 0, len = (lua_Integer)lua_rawlen(L, index);
    bool marked = is_marked(L, index);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            strings++;
        else if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || lua_tointeger(L, -2) > len)
            cannot(e, at, "a key that is neither a string nor an index without gaps");
        else
            n++;
    }
    if (strings > 0 && (n > 0 || marked))
        cannot(e, at, "both strings and indices are keys");
    if (n != len)
        cannot(e, at, "an array with gaps (json.null stands for nothing)");
    *count = (size_t)(n + strings);
    return n > 0 || marked;
}

static void check_cycle(struct encoder *e, const struct place *at)
{
    for (const struct place *outer = at->around; outer; outer = outer->around) {
        if (outer->value == at->value)
            cannot(e, at, "a table that holds itself");
    }
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = memcmp(x->s, y->s, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Pushes the keys of a small object, which keeps them alive, and sets `keys` to them, sorted. Costs
 * a third of push_keys(), as it allocates nothing. */
static void push_few_keys(lua_State *L, int index, struct key *keys, size_t *n)
{
    size_t count = 0;
    luaL_checkstack(L, FEW_KEYS + 4, "nested too deeply");
    for (lua_pushnil(L); count < *n && lua_next(L, index);) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            break;
        keys[count].s = lua_tolstring(L, -1, &keys[count].len);
        lua_pushvalue(L, -1);
        count++;
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    *n = count;
}

/* Pushes a list that keeps the keys alive, and a sorted block of them. An allocation may run a
 * finalizer of the script, which may change the table. Sets `*n` to the current number of keys,
 * which does not grow. */
static struct key *push_keys(lua_State *L, int index, size_t *n)
{
    size_t count = 0;
    lua_createtable(L, (int)*n, 0);
    int list = lua_gettop(L);
    struct key *keys = lua_newuserdatauv(L, *n * sizeof *keys, 0);
    for (lua_pushnil(L); lua_next(L, index);) {
        lua_pop(L, 1);
        if (count == *n || lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            break;
        }
        keys[count].s = lua_tolstring(L, -1, &keys[count].len);
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, (lua_Integer)++count);
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    *n = count;
    return keys;
}

/* Encodes the value on top of the stack and pops it. `inner` is its place in the value at `at`. */
static void encode_inner(struct encoder *e, struct place inner, const struct place *at)
{
    lua_State *L = e->L;
    inner.around = at;
    inner.depth = at->depth + 1;
    inner.value = lua_topointer(L, -1);
    encode(e, lua_gettop(L), &inner);
    lua_pop(L, 1);
}

static void encode_object(struct encoder *e, int index, size_t n, const struct place *at)
{
    lua_State *L = e->L;
    struct key few[FEW_KEYS];
    const struct key *keys = few;
    int top = lua_gettop(L);
    if (n <= FEW_KEYS)
        push_few_keys(L, index, few, &n);
    else
        keys = push_keys(L, index, &n);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            write_char(e, ',');
        write_line(e, at->depth + 1);
        write_string(e, keys[i].s, keys[i].len, at, "a key that is not UTF-8");
        write(e, ": ", e->indent ? 2 : 1);
        lua_pushlstring(L, keys[i].s, keys[i].len);
        lua_rawget(L, index);
        encode_inner(e, (struct place){.key = keys[i].s}, at);
    }
    lua_settop(L, top);
}

static void encode_array(struct encoder *e, int index, size_t n, const struct place *at)
{
    for (size_t i = 1; i <= n; i++) {
        if (i > 1)
            write_char(e, ',');
        write_line(e, at->depth + 1);
        lua_rawgeti(e->L, index, (lua_Integer)i);
        encode_inner(e, (struct place){.index = (lua_Integer)i}, at);
    }
}

static void encode_table(struct encoder *e, int index, const struct place *at)
{
    size_t n;
    luaL_checkstack(e->L, 10, "nested too deeply");
    check_cycle(e, at);
    bool array = is_array(e, index, at, &n);
    if (at->depth >= e->depth)
        cannot(e, at, "nested too deeply");
    write_char(e, array ? '[' : '{');
    if (n > 0) {
        if (array)
            encode_array(e, index, n, at);
        else
            encode_object(e, index, n, at);
        write_line(e, at->depth);
    }
    write_char(e, array ? ']' : '}');
}

static void encode(struct encoder *e, int index, const struct place *at)
{
    lua_State *L = e->L;
    size_t len;
    const char *s;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        write(e, "null", 4);
        return;
    case LUA_TBOOLEAN:
        s = lua_toboolean(L, index) ? "true" : "false";
        write(e, s, strlen(s));
        return;
    case LUA_TNUMBER:
        write_number(e, index, at);
        return;
    case LUA_TSTRING:
        s = lua_tolstring(L, index, &len);
        write_string(e, s, len, at, "a string that is not UTF-8");
        return;
    case LUA_TTABLE:
        encode_table(e, index, at);
        return;
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, index)) {
            write(e, "null", 4);
            return;
        }
        break;
    default:
        break;
    }
    lua_pushfstring(L, "a %s", luaL_typename(L, index));
    cannot(e, at, lua_tostring(L, -1));
}

/* --- functions for scripts --- */

static int l_gc(lua_State *L)
{
    spt_buf_release(spt_check_self(L, "text"));
    return 0;
}

static const char spare; /* its address is the key */

/* json_encode(value, depth, indent): returns the value's text, with sorted keys. Raises Usage. */
static int l_encode(lua_State *L)
{
    const struct place whole = {.value = lua_topointer(L, 1)};
    struct encoder e = {
        .L = L, .depth = spt_check_count(L, 2, 1), .indent = spt_check_count(L, 3, 0)};
    e.out = spt_spare_push(L, &spare, sizeof *e.out, META);
    e.out->max = SIZE_MAX / 2;
    int at = lua_gettop(L);
    encode(&e, 1, &whole);
    lua_pushlstring(L, e.out->data, e.out->len);
    e.out->len = 0;
    if (e.out->cap > KEPT_MAX)
        spt_buf_release(e.out);
    spt_spare_keep(L, at, &spare);
    return 1;
}

static const luaL_Reg methods[] = {{"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"json_encode", l_encode}, {NULL, NULL}};

void spt_open_json_encode(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
