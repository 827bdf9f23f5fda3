/* json: JSON text to Lua values and back, by jansson, which keeps integers integers. */
#include <jansson.h>
#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "lua/lib.h"
#include "op/env.h"

#define DEPTH_MAX                                                                                  \
    2047 /* of arrays and objects: jansson's 2048 count what is in the innermost, too */
#define META       "septet.json.tree"
#define ARRAY_META "septet.json.array"

/* jansson's values, and the text it wrote, until Lua has them. Where an error ends the way there, the collector frees
 * them: to-be-closed slots are no use to C on Lua 5.4.4, whose lua_settop may lose the stack they stand in. */
struct tree {
    json_t *root;
    char *text;
};

static void release(struct tree *tree)
{
    json_free_t free_text;
    json_get_alloc_funcs(NULL, &free_text); /* the embedder may have set them */
    json_decref(tree->root);
    if (tree->text)
        free_text(tree->text);
    *tree = (struct tree){0};
}

static int l_gc(lua_State *L)
{
    release(spt_check_self(L, "tree"));
    return 0;
}

static struct tree *push_tree(lua_State *L)
{
    struct tree *tree = lua_newuserdatauv(L, sizeof *tree, 0);
    *tree = (struct tree){0};
    luaL_setmetatable(L, META);
    return tree;
}

/* In Lua's own words, without a place, by which the host tells it apart. */
static int out_of_memory(lua_State *L)
{
    lua_pushliteral(L, "not enough memory");
    return lua_error(L);
}

static lua_Integer check_depth(lua_State *L, int arg)
{
    lua_Integer depth = spt_check_count(L, arg, 1);
    return depth < DEPTH_MAX ? depth : DEPTH_MAX;
}

/* --- decoding --- */

/* Where the text begins, behind a byte order mark. */
static size_t begin_of(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* Raises JsonError{line=, column=, position=}: counted from 1, in bytes. */
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

/* On the last byte that jansson has read, or behind it where that one is bad or missing. */
static size_t stopped_at(const json_error_t *error, size_t len)
{
    size_t read = (unsigned)error->position;
    enum json_error_code code = json_error_code(error);
    if (code != json_error_invalid_utf8 && code != json_error_premature_end_of_input && read > 0)
        read--;
    return read < len ? read : len;
}

/* Where brackets nest deeper than `depth`, or `len`. Found before parsing: a tree knows no positions. */
static size_t too_deep(const char *text, size_t len, lua_Integer depth)
{
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && depth-- == 0)
            return i;
        else if (!quoted && (c == ']' || c == '}'))
            depth++;
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
    luaL_setmetatable(L, ARRAY_META);
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

/* json_decode(text, depth): its value. Raises JsonError. */
static int l_decode(lua_State *L)
{
    size_t len;
    const char *text = spt_check_string(L, 1, &len);
    size_t deep = too_deep(text, len, check_depth(L, 2));
    json_error_t error;
    if (deep < len)
        return refuse(L, text, len, deep, "nested too deeply");
    struct tree *tree = push_tree(L);
    size_t begin = begin_of(text, len);
    tree->root = json_loadb(text + begin, len - begin, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!tree->root && (!*error.text || json_error_code(&error) == json_error_out_of_memory))
        return out_of_memory(L);
    if (!tree->root)
        return refuse(L, text, len, begin + stopped_at(&error, len - begin), error.text);
    push_value(L, tree->root);
    release(tree);
    return 1;
}

/* --- encoding --- */

/* Where in the value the encoder is: a list from the innermost place out. */
struct place {
    const struct place *around; /* NULL: the whole */
    const char *key;            /* NULL: an array's */
    lua_Integer index;
    const void *value; /* what is there, where it is a table */
};

struct encoder {
    lua_State *L;
    lua_Integer depth; /* that may still be entered */
    int digits;        /* of a float, that all of them need */
};

static void push_place(lua_State *L, const struct place *at)
{
    if (!at->around) {
        lua_pushliteral(L, "the value");
        return;
    }
    luaL_checkstack(L, 8, NULL);
    push_place(L, at->around);
    if (at->key)
        lua_pushfstring(L, ".%s", at->key);
    else
        lua_pushfstring(L, "[%I]", at->index);
    lua_concat(L, 2);
}

static int cannot(struct encoder *e, const struct place *at, const char *what)
{
    push_place(e->L, at);
    return spt_error_usage(e->L, "cannot encode %s: %s", lua_tostring(e->L, -1), what);
}

static json_t *checked(struct encoder *e, json_t *value)
{
    if (!value)
        out_of_memory(e->L);
    return value;
}

static json_t *encode_string(struct encoder *e, int index, const struct place *at, const char *bad)
{
    size_t len;
    const char *s = lua_tolstring(e->L, index, &len);
    json_t *value = json_stringn(s, len);
    if (!value) {
        json_decref(checked(e, json_stringn_nocheck(s, len)));
        cannot(e, at, bad);
    }
    return value;
}

static json_t *encode_number(struct encoder *e, int index, const struct place *at)
{
    char text[40];
    if (lua_isinteger(e->L, index))
        return checked(e, json_integer(lua_tointeger(e->L, index)));
    lua_Number n = lua_tonumber(e->L, index);
    if (!isfinite(n))
        cannot(e, at, "a number that JSON has no words for");
    for (; e->digits < 17; e->digits++) {
        snprintf(text, sizeof text, "%.*g", e->digits, n);
        if (strtod(text, NULL) == n)
            break;
    }
    return checked(e, json_real(n));
}

static bool is_marked(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, ARRAY_META);
    bool marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

static bool is_array(struct encoder *e, int index, const struct place *at)
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
    return n > 0 || marked;
}

static void check_cycle(struct encoder *e, const struct place *at)
{
    for (const struct place *outer = at->around; outer; outer = outer->around) {
        if (outer->value == at->value)
            cannot(e, at, "a table that holds itself");
    }
}

static json_t *encode(struct encoder *e, int index, const struct place *at);
static void fill(struct encoder *e, json_t *container, int index, const struct place *at);

/* A child is in its container, and so in the tree, before its own children are made. */
static void add(struct encoder *e, json_t *container, const struct place *at)
{
    lua_State *L = e->L;
    json_t *child = encode(e, lua_gettop(L), at);
    size_t len = 0;
    const char *key = at->key ? lua_tolstring(L, -2, &len) : NULL;
    int rc = key ? json_object_setn_new(container, key, len, child)
                 : json_array_append_new(container, child);
    if (rc < 0) { /* the child is gone */
        if (key)
            json_decref(encode_string(e, -2, at->around, "a key that is not UTF-8"));
        out_of_memory(L);
    }
    fill(e, child, lua_gettop(L), at);
}

static void fill(struct encoder *e, json_t *container, int index, const struct place *at)
{
    lua_State *L = e->L;
    if (!json_is_array(container) && !json_is_object(container))
        return;
    luaL_checkstack(L, 8, "nested too deeply");
    if (e->depth-- == 0)
        cannot(e, at, "nested too deeply");
    if (json_is_array(container)) {
        lua_Integer n = (lua_Integer)lua_rawlen(L, index);
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, index, i);
            add(e, container,
                &(struct place){.around = at, .index = i, .value = lua_topointer(L, -1)});
            lua_pop(L, 1);
        }
    } else {
        for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
            add(e, container,
                &(struct place){
                    .around = at, .key = lua_tostring(L, -2), .value = lua_topointer(L, -1)});
    }
    e->depth++;
}

/* The value at `index`, a table as an empty container. */
static json_t *encode(struct encoder *e, int index, const struct place *at)
{
    lua_State *L = e->L;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        return encode_number(e, index, at);
    case LUA_TSTRING:
        return encode_string(e, index, at, "a string that is not UTF-8");
    case LUA_TTABLE:
        check_cycle(e, at);
        return checked(e, is_array(e, index, at) ? json_array() : json_object());
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, index))
            return json_null();
        break;
    default:
        break;
    }
    lua_pushfstring(L, "a %s", luaL_typename(L, index));
    cannot(e, at, lua_tostring(L, -1));
    return NULL;
}

/* json_encode(value, depth, indent): its text, with the keys of objects sorted. Raises Usage. */
/* Whether each character of a string stands for itself: then no tree is needed to write it. */
static bool is_plain(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
            return false;
    }
    return true;
}

static int push_quoted(lua_State *L, const char *s, size_t len)
{
    luaL_Buffer text;
    luaL_buffinitsize(L, &text, len + 2);
    luaL_addchar(&text, '"');
    luaL_addlstring(&text, s, len);
    luaL_addchar(&text, '"');
    luaL_pushresult(&text);
    return 1;
}

static int l_encode(lua_State *L)
{
    size_t len;
    const char *s = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &len) : NULL;
    if (s && is_plain(s, len))
        return push_quoted(L, s, len);
    const struct place whole = {.value = lua_topointer(L, 1)};
    struct encoder e = {.L = L, .depth = check_depth(L, 2), .digits = 15};
    lua_Integer indent = spt_check_count(L, 3, 0);
    struct tree *tree = push_tree(L);
    tree->root = encode(&e, 1, &whole);
    fill(&e, tree->root, 1, &whole);
    size_t flags = JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION((size_t)e.digits);
    tree->text =
        json_dumps(tree->root, flags | (indent ? JSON_INDENT((size_t)indent) : JSON_COMPACT));
    if (!tree->text)
        return out_of_memory(L);
    lua_pushstring(L, tree->text); /* a NUL is written as an escape */
    release(tree);
    return 1;
}

static const luaL_Reg methods[] = {{"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {
    {"json_decode", l_decode}, {"json_encode", l_encode}, {NULL, NULL}};

void spt_open_json(lua_State *L, struct spt_env *env)
{
    int core = lua_gettop(L);
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
    luaL_newmetatable(L, ARRAY_META);
    lua_pushliteral(L, ARRAY_META);
    lua_setfield(L, -2, "__name");
    lua_setfield(L, core, "json_array");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, core, "json_null");
}
