/* SPDX-License-Identifier: MIT */
/* csv_parser: makes tables of the rows of CSV. csv_line is in csv_line.c. */
#include "base/csv.h"

#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "lua/lib.h"
#include "op/env.h"

#define META "septet.csv.parser"

enum { CHUNK = 1, NAMES }; /* the user values */

struct parser {
    struct spt_csv csv;
    const char *chunk; /* kept alive by a user value */
    size_t at, len;    /* what is left of the chunk: from `at` to `len` */
    size_t columns;    /* number of fields of each row; 0: not known yet */
    lua_Integer rows;  /* number of rows so far */
    unsigned reads;    /* number of rows that were asked for */
    bool is_ragged;    /* rows may have any number of fields */
    bool is_finished;  /* the text has ended */
    bool is_at_end;    /* and all rows were returned */
    bool has_names;
};

static const struct {
    const char *code, *words;
} errors[] = {
    [SPT_CSV_BARE_QUOTE] = {"quote", "a quote inside of a field that does not begin with one"},
    [SPT_CSV_BEHIND_QUOTE] = {"quote", "a byte behind the quote that ends a field"},
    [SPT_CSV_OPEN_QUOTE] = {"quote", "the quote that begins here does not end"},
    [SPT_CSV_FIELD_TOO_LONG] = {"field_too_long", "the field is longer than max_field"},
    [SPT_CSV_ROW_TOO_LONG] = {"row_too_long", "the row is longer than max_row"},
    [SPT_CSV_TOO_MANY] = {"too_many_columns", "the row has more fields than max_columns"},
};

/* csv_parser(separator, quote, lazy, ragged, max_field, max_row, max_columns): returns a parser.
 * `quote` is false if quotes have no meaning. */
static int l_new(lua_State *L)
{
    const char *separator = spt_check_string(L, 1, NULL);
    int quote = lua_toboolean(L, 2) ? (unsigned char)*spt_check_string(L, 2, NULL) : -1;
    struct spt_csv_limits limits = {.field = (size_t)spt_check_count(L, 5, 1),
                                    .row = (size_t)spt_check_count(L, 6, 1),
                                    .columns = (size_t)spt_check_count(L, 7, 1)};
    bool lazy = lua_toboolean(L, 3), ragged = lua_toboolean(L, 4);
    struct parser *p = lua_newuserdatauv(L, sizeof *p, 2);
    *p = (struct parser){.is_ragged = ragged};
    spt_csv_init(&p->csv, *separator, quote, lazy, &limits);
    luaL_setmetatable(L, META);
    return 1;
}

/* parser:feed(chunk, first, last): goes on with the bytes from `first` to `last`. Those of the last
 * call must all have been taken. Without a chunk, the text has ended. */
static int l_feed(lua_State *L)
{
    struct parser *p = spt_check_self(L, "parser");
    size_t len = 0;
    if (lua_isnoneornil(L, 2)) {
        p->is_finished = true;
        return 0;
    }
    const char *chunk = spt_check_string(L, 2, &len);
    lua_Integer first = spt_check_count(L, 3, 1), last = spt_check_count(L, 4, 0);
    if (last > (lua_Integer)len || first > last + 1)
        return spt_error_usage(L, "no such part of the chunk");
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, CHUNK);
    p->chunk = chunk;
    p->at = (size_t)first - 1;
    p->len = (size_t)last;
    return 0;
}

/* Raises CsvError at a place. */
static int raise_at(lua_State *L, const struct spt_csv_place *place, lua_Integer row,
                    const char *code, const char *words)
{
    lua_Integer line = (lua_Integer)place->line + 1;
    lua_Integer column = (lua_Integer)(place->offset - place->line_start) + 1;
    spt_error_push(L, "CsvError", "bad CSV at line %I, column %I: %s", line, column, words);
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushinteger(L, line);
    lua_setfield(L, -2, "line");
    lua_pushinteger(L, column);
    lua_setfield(L, -2, "column");
    lua_pushinteger(L, (lua_Integer)place->offset + 1);
    lua_setfield(L, -2, "position");
    lua_pushinteger(L, row);
    lua_setfield(L, -2, "row");
    return lua_error(L);
}

static int raise_ragged(lua_State *L, struct parser *p)
{
    struct spt_csv_place place = {
        .offset = p->csv.row_offset, .line = p->csv.row_line, .line_start = p->csv.row_offset};
    const char *words = lua_pushfstring(L, "the row has %I fields, and those before it %I",
                                        (lua_Integer)p->csv.nends, (lua_Integer)p->columns);
    return raise_at(L, &place, ++p->rows, "ragged", words);
}

/* Pushes the field `i`, which begins at `start`. Raises Usage if a finalizer has asked for a row
 * after the `reads` before, as it may whenever something is pushed: the fields are gone then. */
static void push_field(lua_State *L, const struct parser *p, unsigned reads, size_t i, size_t start)
{
    const struct spt_csv *csv = &p->csv;
    if (p->reads != reads)
        spt_error_usage(L, "a finalizer has read a row meanwhile");
    lua_pushlstring(L, csv->bytes.data ? csv->bytes.data + start : "", csv->ends[i] - start);
}

/* Pushes the row that is complete: a list, or a table by the names of the columns. */
static void push_row(lua_State *L, struct parser *p)
{
    const struct spt_csv *csv = &p->csv;
    const unsigned reads = p->reads;
    const size_t n = csv->nends;
    size_t start = 0;
    if (p->columns == 0)
        p->columns = csv->nends;
    if (csv->nends != p->columns && !p->is_ragged)
        raise_ragged(L, p);
    p->rows++;
    int names = 0;
    if (p->has_names) {
        lua_getiuservalue(L, 1, NAMES);
        names = lua_gettop(L);
    }
    lua_createtable(L, names ? 0 : (int)n, names ? (int)n : 0);
    for (size_t i = 0; i < n; i++) {
        const bool named = names && i < p->columns;
        if (named)
            lua_rawgeti(L, names, (lua_Integer)i + 1);
        push_field(L, p, reads, i, start);
        start = p->reads == reads ? csv->ends[i] : start;
        if (named)
            lua_rawset(L, -3);
        else
            lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    if (names)
        lua_remove(L, names);
}

/* Pushes the next row and returns true, or returns false if the chunk has no more. */
static bool next_row(lua_State *L, struct parser *p)
{
    size_t taken = 0;
    enum spt_csv_result result = SPT_CSV_MORE;
    p->reads++;
    if (p->at < p->len) {
        result = spt_csv_read(&p->csv, p->chunk + p->at, p->len - p->at, &taken);
        p->at += taken;
    }
    if (result == SPT_CSV_MORE && p->is_finished)
        result = spt_csv_finish(&p->csv);
    p->is_at_end = result == SPT_CSV_END;
    if (result == SPT_CSV_NO_MEMORY)
        spt_error_no_memory(L);
    if (result > SPT_CSV_END)
        raise_at(L, &p->csv.place, p->rows + 1, errors[result].code, errors[result].words);
    if (result == SPT_CSV_ROW)
        push_row(L, p);
    return result == SPT_CSV_ROW;
}

/* parser:row(): returns the next row, or nothing if that needs more bytes or the text has ended.
 * Raises CsvError. */
static int l_row(lua_State *L)
{
    struct parser *p = spt_check_self(L, "parser");
    lua_settop(L, 1);
    luaL_checkstack(L, 8, NULL);
    return next_row(L, p) ? 1 : 0;
}

/* parser:rows(list): appends the rows of the chunk. */
static int l_rows(lua_State *L)
{
    struct parser *p = spt_check_self(L, "parser");
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_checkstack(L, 8, NULL);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
    while (next_row(L, p))
        lua_rawseti(L, 2, ++n);
    return 0;
}

/* parser:is_at_end(): returns true if the text has ended, and all rows were returned. */
static int l_is_at_end(lua_State *L)
{
    const struct parser *p = spt_check_self(L, "parser");
    lua_pushboolean(L, p->is_at_end);
    return 1;
}

/* parser:names(list): from now on, rows are tables by these names. */
static int l_names(lua_State *L)
{
    struct parser *p = spt_check_self(L, "parser");
    luaL_checktype(L, 2, LUA_TTABLE);
    p->columns = (size_t)lua_rawlen(L, 2);
    p->has_names = true;
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, NAMES);
    return 0;
}

/* parser:place(): returns the line of the last row and the number of rows. */
static int l_place(lua_State *L)
{
    const struct parser *p = spt_check_self(L, "parser");
    lua_pushinteger(L, (lua_Integer)p->csv.row_line + 1);
    lua_pushinteger(L, p->rows);
    return 2;
}

static int l_gc(lua_State *L)
{
    struct parser *p = spt_check_self(L, "parser");
    spt_csv_release(&p->csv);
    p->len = p->at = p->csv.nends = p->csv.cap = 0;
    return 0;
}

static const luaL_Reg methods[] = {
    {"feed", l_feed},   {"row", l_row},     {"rows", l_rows}, {"is_at_end", l_is_at_end},
    {"names", l_names}, {"place", l_place}, {"__gc", l_gc},   {NULL, NULL}};
static const luaL_Reg functions[] = {{"csv_parser", l_new}, {NULL, NULL}};

void spt_open_csv(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
