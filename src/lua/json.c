/* SPDX-License-Identifier: MIT */
/* json_decode: decodes JSON text to a Lua value with jansson, which keeps integers as integers. */
#include "lua/json.h"

#include <jansson.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "lua/lib.h"
#include "lua/spare.h"
#include "op/env.h"
#include "op/library.h"

#define META "septet.json.tree"

/* Bytes that parts of a text take while it is decoded, as jansson's value and as Lua's. They are
 * measured; the estimate is up to a third too high. */
enum { ARRAY_BYTES = 200, OBJECT_BYTES = 300, MEMBER_BYTES = 96, ITEM_BYTES = 56 };

/* Holds jansson's values until Lua has copied them. If an error interrupts that, the garbage
 * collector frees them. To-be-closed slots are not usable from C on Lua 5.4.4, where lua_settop()
 * may use an invalid pointer to the stack. */
struct tree {
    json_t *root;
};

static void release(struct tree *tree)
{
    json_decref(tree->root);
    tree->root = NULL;
}

static int l_gc(lua_State *L)
{
    release(spt_check_self(L, "tree"));
    return 0;
}

static const char spare; /* its address is the key */

/* Returns the offset at which the text begins, after a byte order mark. */
static size_t begin_of(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* Raises JsonError{line=, column=, position=}. They are in bytes and start at 1. */
static int refuse(lua_State *L, const char *text, size_t len, size_t position, const char *why)
{
    lua_Integer line = 1;
    size_t start = begin_of(text, len);
    for (size_t i = 0; i < position; i++) {
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    lua_Integer column = (lua_Integer)(position - start) + 1;
    spt_error_push(L, "JsonError", "bad JSON at line %I, column %I: %s", line, column, why);
    lua_pushinteger(L, line);
    lua_setfield(L, -2, "line");
    lua_pushinteger(L, column);
    lua_setfield(L, -2, "column");
    lua_pushinteger(L, (lua_Integer)position + 1);
    lua_setfield(L, -2, "position");
    return lua_error(L);
}

/* Returns the offset of the last byte that jansson read, or of the byte after it if that byte is
 * invalid or missing. */
static size_t stopped_at(const json_error_t *error, size_t len)
{
    size_t read = (unsigned)error->position;
    enum json_error_code code = json_error_code(error);
    if (code != json_error_invalid_utf8 && code != json_error_premature_end_of_input && read > 0)
        read--;
    return read < len ? read : len;
}

/* Limits of a text: how deep it may nest, and how many bytes its value may take. */
struct budget {
    lua_Integer depth;
    lua_Integer bytes;
    const char *exceeded; /* why the budget is exceeded; NULL if it is not */
};

/* Returns the offset at which the text exceeds the budget, or `len`. This is checked before
 * parsing, because a tree has no positions and takes many times the memory of its text. */
static size_t find_excess(const char *text, size_t len, struct budget *budget)
{
    bool quoted = false;
    budget->bytes -= (lua_Integer)len; /* strings are copied */
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
            continue;
        }
        if (c == '"')
            quoted = true;
        else if (c == ',')
            budget->bytes -= ITEM_BYTES;
        else if (c == ':')
            budget->bytes -= MEMBER_BYTES;
        else if (c == ']' || c == '}')
            budget->depth++;
        else if (c == '[' || c == '{') {
            budget->bytes -= c == '[' ? ARRAY_BYTES : OBJECT_BYTES;
            if (budget->depth-- == 0) {
                budget->exceeded = "nested too deeply";
                return i;
            }
        }
        if (budget->bytes < 0) {
            budget->exceeded = "its value would take more than max_memory";
            return i;
        }
    }
    return len;
}

static void push_value(lua_State *L, const json_t *value);

static void push_array(lua_State *L, const json_t *array)
{
    size_t n = json_array_size(array);
    lua_createtable(L, n < INT_MAX ? (int)n : 0, 0);
    for (size_t i = 0; i < n; i++) {
        push_value(L, json_array_get(array, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    luaL_setmetatable(L, SPT_JSON_ARRAY_META);
}

static void push_object(lua_State *L, json_t *object)
{
    const char *key;
    json_t *value;
    size_t n = json_object_size(object), len;
    lua_createtable(L, 0, n < INT_MAX ? (int)n : 0);
    json_object_keylen_foreach(object, key, len, value)
    {
        lua_pushlstring(L, key, len);
        push_value(L, value);
        lua_rawset(L, -3);
    }
}

static void push_value(lua_State *L, const json_t *value)
{
    luaL_checkstack(L, 8, "nested too deeply");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(L, (json_t *)value);
        break;
    case JSON_ARRAY:
        push_array(L, value);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    }
}

/* json_decode(text, depth, max_memory): returns the value of the text. `max_memory` is in bytes.
 * Raises JsonError. */
static int l_decode(lua_State *L)
{
    size_t len;
    const char *text = spt_check_string(L, 1, &len);
    struct budget budget = {.depth = spt_check_count(L, 2, 1), .bytes = spt_check_count(L, 3, 1)};
    size_t excess = find_excess(text, len, &budget);
    json_error_t error;
    if (budget.exceeded)
        return refuse(L, text, len, excess, budget.exceeded);
    spt_library_need(L, SPT_NEEDS_JSON);
    struct tree *tree = spt_spare_push(L, &spare, sizeof *tree, META);
    int at = lua_gettop(L);
    size_t begin = begin_of(text, len);
    tree->root = json_loadb(text + begin, len - begin, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!tree->root && (!*error.text || json_error_code(&error) == json_error_out_of_memory))
        return spt_error_no_memory(L);
    if (!tree->root)
        return refuse(L, text, len, begin + stopped_at(&error, len - begin), error.text);
    const char *nul = memchr(text, '\0', len); /* jansson ignores a NUL after a number or a word */
    if (nul)
        return refuse(L, text, len, (size_t)(nul - text), "a NUL");
    push_value(L, tree->root);
    release(tree);
    spt_spare_keep(L, at, &spare);
    return 1;
}

static const luaL_Reg methods[] = {{"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"json_decode", l_decode}, {NULL, NULL}};

void spt_open_json(lua_State *L, struct spt_env *env)
{
    int core = lua_gettop(L);
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
    luaL_newmetatable(L, SPT_JSON_ARRAY_META);
    lua_pushliteral(L, SPT_JSON_ARRAY_META);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setfield(L, core, "json_array");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, core, "json_null");
    lua_pushinteger(L, SPT_JSON_DEPTH_MAX);
    lua_setfield(L, core, "json_depth_max");
}
