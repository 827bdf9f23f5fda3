/* SPDX-License-Identifier: MIT */
/* Keeps a list of records beside the env's resources, so that a resource is no larger for it. A
 * record is valid as long as the env has its resource. A later record of the same address replaces
 * it, and one without a kind says that this resource does not count. */
#include "op/census.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "core/trace.h"
#include "op/openers.h"

enum { FIRST_ROOM = 64 };

struct record {
    const struct spt_resource *resource;
    const struct spt_census_kind *kind; /* NULL: it does not count */
    uint64_t place;                     /* spt_trace_place of the script's line; 0: unknown */
    size_t number;                      /* in the order of opening */
};

/* The userdata in the registry. */
struct spt_census {
    struct record *records; /* owned */
    size_t n, room, numbers;
};

#define KEY "septet.census"

static int compare(const void *a, const void *b)
{
    const struct record *left = a, *right = b;
    if (left->resource != right->resource)
        return (uintptr_t)left->resource < (uintptr_t)right->resource ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

/* Returns the last record of a resource, or NULL. The records are sorted. */
static const struct record *find(const struct spt_census *census,
                                 const struct spt_resource *resource)
{
    size_t low = 0, high = census->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)census->records[middle].resource <= (uintptr_t)resource)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && census->records[low - 1].resource == resource ? &census->records[low - 1]
                                                                    : NULL;
}

/* Drops the records of resources that the env no longer has, and replaced ones. Returns false out
 * of memory. */
static bool keep_valid(struct spt_census *census, const struct spt_env *env)
{
    struct record *kept = malloc(census->room * sizeof *kept);
    size_t n = 0;
    if (!kept)
        return false;
    qsort(census->records, census->n, sizeof *census->records, compare);
    for (const struct spt_link *l = env->resources.next; l != &env->resources; l = l->next) {
        const struct record *record = find(census, SPT_OF(l, struct spt_resource, link));
        if (record && record->kind)
            kept[n++] = *record;
    }
    free(census->records);
    census->records = kept;
    census->n = n;
    return true;
}

static bool make_room(struct spt_census *census, const struct spt_env *env)
{
    if (census->n < census->room)
        return true;
    if (census->n > 0 && keep_valid(census, env) && census->n <= census->room / 2)
        return true;
    size_t room = census->room > 0 ? 2 * census->room : FIRST_ROOM;
    struct record *records = realloc(census->records, room * sizeof *records);
    if (!records)
        return false;
    census->records = records;
    census->room = room;
    return true;
}

static void append(struct spt_env *env, const struct spt_resource *resource,
                   const struct spt_census_kind *kind, uint64_t place)
{
    struct spt_census *census = env->census;
    if (make_room(census, env))
        census->records[census->n++] = (struct record){
            .resource = resource, .kind = kind, .place = place, .number = census->numbers++};
}

void spt_census_record(lua_State *L, struct spt_env *env, const struct spt_resource *resource,
                       const struct spt_census_kind *kind)
{
    append(env, resource, kind, spt_inspect_place(L, env->sched, 0));
}

void spt_census_forget(struct spt_env *env, const struct spt_resource *resource)
{
    append(env, resource, NULL, 0);
}

/* --- for Lua --- */

/* The env may be gone by now. While it points to the census, the registry holds it. */
static int l_gc(lua_State *L)
{
    struct spt_census *census = lua_touserdata(L, 1);
    free(census->records);
    *census = (struct spt_census){0};
    return 0;
}

/* census_begin(): remembers what scripts open from now on. */
static int l_begin(lua_State *L)
{
    struct spt_census *census = lua_newuserdatauv(L, sizeof *census, 0);
    *census = (struct spt_census){0};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, KEY);
    spt_env(L)->census = census;
    return 0;
}

/* census_end(): ends that, and returns the kind and the place of each that is still open, one after
 * the other in a list. A place that is not known is "". */
static int l_end(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_census *census = env->census;
    char place[SPT_PLACE_SIZE];
    lua_Integer n = 0;
    lua_newtable(L);
    if (!census)
        return 1;
    if (census->n > 0 && !keep_valid(census, env))
        return spt_error_no_memory(L);
    for (size_t i = 0; i < census->n; i++) {
        const struct record *record = &census->records[i];
        if (record->kind->is_open && !record->kind->is_open(record->resource))
            continue;
        place[0] = '\0';
        if (record->place)
            spt_inspect_write_place(&env->sched->trace, record->place, place, sizeof place);
        lua_pushstring(L, record->kind->name);
        lua_rawseti(L, -2, ++n);
        lua_pushstring(L, place);
        lua_rawseti(L, -2, ++n);
    }
    env->census = NULL;
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, KEY);
    return 1;
}

/* Calls the first upvalue, a function of Lua's io, in the frame of this one. So its errors name the
 * line of the script. Then calls the second upvalue with the file that it returns. */
static int l_open_file(lua_State *L)
{
    int n = lua_tocfunction(L, lua_upvalueindex(1))(L);
    if (n == 1 && luaL_testudata(L, -1, LUA_FILEHANDLE)) {
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_pushvalue(L, -2);
        lua_call(L, 1, 0);
    }
    return n;
}

/* census_opener(fn, note): returns a function like `fn`, which opens files, that calls `note` with
 * each file. Returns `fn` if it is not one of Lua's own. */
static int l_opener(lua_State *L)
{
    lua_settop(L, 2);
    if (!lua_iscfunction(L, 1) || lua_getupvalue(L, 1, 1)) {
        lua_settop(L, 1);
        return 1;
    }
    lua_pushcclosure(L, l_open_file, 2);
    return 1;
}

void spt_open_census(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"census_begin", l_begin},
                                         {"census_end", l_end},
                                         {"census_opener", l_opener},
                                         {NULL, NULL}};
    spt_add_functions(L, env, functions);
}
