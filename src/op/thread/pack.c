/* SPDX-License-Identifier: MIT */
/* Each value is a byte that says what follows. A table is its pairs up to an end mark; one that was
 * there before is its number. */
#include "op/thread/pack.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "septet/septet.h"

enum { DEPTH_MAX = 1000 }; /* of nested tables: both directions are recursive */

enum mark { NIL, FALSE, TRUE, INTEGER, FLOAT, STRING, TABLE, AGAIN, END };

/* --- packing --- */

struct packer {
    lua_State *L;
    struct spt_buf *out;
    int seen; /* index of the table of tables, with their numbers */
    lua_Integer tables;
    int depth;
    struct spt_pack_refusal *refusal;
};

static int put(struct packer *p, enum mark mark, const void *bytes, size_t n)
{
    struct spt_buf *out = p->out;
    int rc = spt_buf_reserve(out, 1 + n);
    if (rc != SEPTET_OK)
        return rc;
    out->data[out->len] = (char)mark;
    if (n > 0)
        memcpy(out->data + out->len + 1, bytes, n);
    out->len += 1 + n;
    return SEPTET_OK;
}

static int put_string(struct packer *p, int index)
{
    size_t n;
    const char *bytes = lua_tolstring(p->L, index, &n);
    int rc = put(p, STRING, &n, sizeof n);
    return rc == SEPTET_OK && n > 0 ? spt_buf_append(p->out, bytes, n) : rc;
}

static int put_number(struct packer *p, int index)
{
    if (lua_isinteger(p->L, index)) {
        lua_Integer n = lua_tointeger(p->L, index);
        return put(p, INTEGER, &n, sizeof n);
    }
    lua_Number n = lua_tonumber(p->L, index);
    return put(p, FLOAT, &n, sizeof n);
}

static int refuse(struct packer *p, const char *what)
{
    snprintf(p->refusal->what, sizeof p->refusal->what, "%s", what);
    p->refusal->at[0] = '\0';
    return SEPTET_EINVAL;
}

static int refuse_type(struct packer *p, int type)
{
    if (type == LUA_TLIGHTUSERDATA)
        type = LUA_TUSERDATA;
    char what[48];
    snprintf(what, sizeof what, "a %s",
             type == LUA_TTHREAD ? "coroutine" : lua_typename(p->L, type));
    return refuse(p, what);
}

/* Puts the key at `index` before the place that a refusal names. */
static void add_key(struct packer *p, int index)
{
    char inner[sizeof p->refusal->at], key[40] = "[...]";
    memcpy(inner, p->refusal->at, sizeof inner);
    if (lua_type(p->L, index) == LUA_TSTRING)
        snprintf(key, sizeof key, ".%s", lua_tostring(p->L, index));
    else if (lua_isinteger(p->L, index))
        snprintf(key, sizeof key, "[%lld]", (long long)lua_tointeger(p->L, index));
    snprintf(p->refusal->at, sizeof p->refusal->at, "%s%.*s", key,
             (int)(sizeof inner - sizeof key - 1), inner);
}

static int put_value(struct packer *p, int index);

/* Packs a key and its value, on top of the stack. */
static int put_pair(struct packer *p)
{
    int key = lua_gettop(p->L) - 1;
    int rc = put_value(p, key);
    if (rc == SEPTET_EINVAL) /* a key is shown by what it is */
        return rc;
    if (rc == SEPTET_OK)
        rc = put_value(p, key + 1);
    if (rc == SEPTET_EINVAL)
        add_key(p, key);
    return rc;
}

/* Packs the table at `index`, which was not there before. */
static int put_pairs(struct packer *p, int index)
{
    lua_State *L = p->L;
    size_t length = lua_rawlen(L, index);
    lua_pushvalue(L, index);
    lua_pushinteger(L, ++p->tables);
    lua_rawset(L, p->seen);
    int rc = put(p, TABLE, &length, sizeof length);
    for (lua_pushnil(L); rc == SEPTET_OK && lua_next(L, index);) {
        rc = put_pair(p);
        lua_settop(L, rc == SEPTET_OK ? -2 : -1);
    }
    return rc == SEPTET_OK ? put(p, END, NULL, 0) : rc;
}

static int put_table(struct packer *p, int index)
{
    lua_State *L = p->L;
    luaL_checkstack(L, 6, NULL);
    lua_pushvalue(L, index);
    if (lua_rawget(L, p->seen) != LUA_TNIL) {
        lua_Integer number = lua_tointeger(L, -1);
        lua_pop(L, 1);
        return put(p, AGAIN, &number, sizeof number);
    }
    lua_pop(L, 1);
    if (lua_getmetatable(L, index)) {
        lua_pop(L, 1);
        return refuse(p, "a table with a metatable");
    }
    if (p->depth == DEPTH_MAX)
        return refuse(p, "a table nested too deeply");
    p->depth++;
    int top = lua_gettop(L), rc = put_pairs(p, index);
    lua_settop(L, top);
    p->depth--;
    return rc;
}

static int put_value(struct packer *p, int index)
{
    int type = lua_type(p->L, index);
    switch (type) {
    case LUA_TNIL:
        return put(p, NIL, NULL, 0);
    case LUA_TBOOLEAN:
        return put(p, lua_toboolean(p->L, index) ? TRUE : FALSE, NULL, 0);
    case LUA_TNUMBER:
        return put_number(p, index);
    case LUA_TSTRING:
        return put_string(p, index);
    case LUA_TTABLE:
        return put_table(p, index);
    default:
        return refuse_type(p, type);
    }
}

int spt_pack_values(lua_State *L, int first, struct spt_buf *out, struct spt_pack_refusal *refusal)
{
    int last = lua_gettop(L), rc = SEPTET_OK;
    luaL_checkstack(L, 4, NULL);
    lua_newtable(L);
    struct packer p = {.L = L, .out = out, .seen = last + 1, .refusal = refusal};
    for (int i = first; i <= last && rc == SEPTET_OK; i++) {
        refusal->value = i - first + 1;
        rc = put_value(&p, i);
    }
    lua_settop(L, last);
    return rc;
}

/* --- the copies --- */

struct unpacker {
    lua_State *L;
    const char *at;
    int tables; /* index of the list of tables */
    lua_Integer count;
};

static void get(struct unpacker *u, void *value, size_t n)
{
    memcpy(value, u->at, n);
    u->at += n;
}

static void push_string(struct unpacker *u)
{
    size_t n;
    get(u, &n, sizeof n);
    lua_pushlstring(u->L, u->at, n);
    u->at += n;
}

static bool push_value(struct unpacker *u);

static void push_table(struct unpacker *u)
{
    lua_State *L = u->L;
    size_t length;
    get(u, &length, sizeof length);
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, length < 1 << 20 ? (int)length : 1 << 20, 0);
    lua_pushvalue(L, -1);
    lua_rawseti(L, u->tables, ++u->count);
    while (push_value(u)) {
        push_value(u);
        lua_rawset(L, -3);
    }
}

/* Pushes the next value. At an end mark, returns false with nothing pushed. */
static bool push_value(struct unpacker *u)
{
    lua_Integer integer;
    lua_Number number;
    switch ((enum mark) * u->at++) {
    case NIL:
        lua_pushnil(u->L);
        return true;
    case FALSE:
        lua_pushboolean(u->L, 0);
        return true;
    case TRUE:
        lua_pushboolean(u->L, 1);
        return true;
    case INTEGER:
        get(u, &integer, sizeof integer);
        lua_pushinteger(u->L, integer);
        return true;
    case FLOAT:
        get(u, &number, sizeof number);
        lua_pushnumber(u->L, number);
        return true;
    case STRING:
        push_string(u);
        return true;
    case TABLE:
        push_table(u);
        return true;
    case AGAIN:
        get(u, &integer, sizeof integer);
        lua_rawgeti(u->L, u->tables, integer);
        return true;
    case END:
        break;
    }
    return false;
}

int spt_pack_push(lua_State *L, const struct spt_buf *packed)
{
    int n = 0;
    luaL_checkstack(L, 4, NULL);
    lua_newtable(L);
    struct unpacker u = {.L = L, .at = packed->data, .tables = lua_gettop(L)};
    while (packed->len > 0 && u.at < packed->data + packed->len) {
        luaL_checkstack(L, 4, "too many values of a thread");
        push_value(&u);
        n++;
    }
    lua_remove(L, u.tables);
    return n;
}
