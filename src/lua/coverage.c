/* SPDX-License-Identifier: MIT */
/* Counts how often each line of a script's files runs, by the scheduler's line hook, which all
 * coroutines have from then on. Functions of one file share the string with its name. So a small
 * table finds the file by the address of that string, and compares the text, as the address may be
 * another string's later. What is not there is found by a hash of the text. */
#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/hook.h"
#include "core/sched.h"
#include "lua/lib.h"
#include "op/env.h"

enum {
    SLOTS = 1024,         /* of the table of addresses; a power of two */
    CHAINS = 1024,        /* of files with the same hash; a power of two */
    LINES_MAX = 1 << 20,  /* of a file; further lines are not counted */
    FILES_MAX = 100000,   /* further files are not counted */
    FIRST_LINES = 1 << 8, /* for which a file has room at first */
};

struct file {
    struct file *next; /* in its chain */
    char *source;      /* owned; "@NAME", which may hold a NUL */
    size_t len;
    int room;         /* number of `counts` */
    uint32_t *counts; /* owned; by line */
};

struct slot {
    const char *address;
    struct file *file;
};

/* The userdata in the registry. */
struct coverage {
    struct spt_sched *s; /* NULL: it has stopped */
    unsigned n;          /* number of files */
    struct slot slots[SLOTS];
    struct file *chains[CHAINS];
};

#define KEY "septet.coverage"

static bool is_file(const struct file *file, const lua_Debug *ar)
{
    return file->len == ar->srclen && memcmp(file->source, ar->source, ar->srclen) == 0;
}

/* Returns the chain for a text, by its FNV-1a hash. */
static struct file **chain_of(struct coverage *coverage, const char *source, size_t len)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)source[i]) * 16777619U;
    return &coverage->chains[hash % CHAINS];
}

static struct file *add(struct coverage *coverage, struct file **chain, const lua_Debug *ar)
{
    struct file *file = coverage->n < FILES_MAX ? calloc(1, sizeof *file) : NULL;
    if (!file)
        return NULL;
    file->source = malloc(ar->srclen);
    file->len = ar->srclen;
    if (!file->source) {
        free(file);
        return NULL;
    }
    memcpy(file->source, ar->source, ar->srclen);
    file->next = *chain;
    *chain = file;
    coverage->n++;
    return file;
}

/* Returns the file of a function, or NULL if it is in none. */
static struct file *file_of(struct coverage *coverage, const lua_Debug *ar)
{
    if (ar->source[0] != '@')
        return NULL;
    struct slot *slot = &coverage->slots[((uintptr_t)ar->source >> 4) % SLOTS];
    if (slot->address == ar->source && slot->file && is_file(slot->file, ar))
        return slot->file;
    struct file **chain = chain_of(coverage, ar->source, ar->srclen);
    struct file *file = *chain;
    while (file && !is_file(file, ar))
        file = file->next;
    if (!file)
        file = add(coverage, chain, ar);
    *slot = (struct slot){.address = ar->source, .file = file};
    return file;
}

static bool make_room(struct file *file, int line)
{
    int room = file->room > 0 ? file->room : FIRST_LINES;
    while (room <= line)
        room *= 2;
    uint32_t *counts = realloc(file->counts, (size_t)room * sizeof *counts);
    if (!counts)
        return false;
    memset(counts + file->room, 0, (size_t)(room - file->room) * sizeof *counts);
    file->counts = counts;
    file->room = room;
    return true;
}

/* The scheduler's line hook. */
static void on_line(lua_State *L, lua_Debug *ar, void *data)
{
    int line = ar->currentline;
    if (line < 0 || line >= LINES_MAX || !lua_getinfo(L, "S", ar))
        return;
    struct file *file = file_of(data, ar);
    if (file && (line < file->room || make_room(file, line)) && file->counts[line] < UINT32_MAX)
        file->counts[line]++;
}

static void stop(lua_State *L, struct coverage *coverage)
{
    if (coverage->s && coverage->s->debug_hook.line.data == coverage)
        spt_hook_set_line(L, coverage->s, NULL, NULL);
    coverage->s = NULL;
}

static int l_gc(lua_State *L)
{
    struct coverage *coverage = lua_touserdata(L, 1);
    /* the scheduler may be gone, with the hooks of all its tasks */
    if (spt_sched_of(L) == coverage->s)
        stop(L, coverage);
    for (int i = 0; i < CHAINS; i++) {
        while (coverage->chains[i]) {
            struct file *file = coverage->chains[i];
            coverage->chains[i] = file->next;
            free(file->source);
            free(file->counts);
            free(file);
        }
    }
    return 0;
}

/* coverage_start(): counts the lines that run from now on. */
static int l_start(lua_State *L)
{
    struct coverage *coverage = lua_newuserdatauv(L, sizeof *coverage, 0);
    memset(coverage, 0, sizeof *coverage);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, KEY);
    coverage->s = spt_env(L)->sched;
    spt_hook_set_line(L, coverage->s, on_line, coverage);
    return 0;
}

/* Sets the list {line, count, ...} of a file in the table on top of the stack. */
static void set_counts(lua_State *L, const struct file *file)
{
    lua_Integer n = 0;
    lua_pushlstring(L, file->source + 1, file->len - 1);
    lua_newtable(L); // stack: result, name, list
    for (int line = 0; line < file->room; line++)
        if (file->counts[line] > 0) {
            lua_pushinteger(L, line);
            lua_rawseti(L, -2, ++n);
            lua_pushinteger(L, file->counts[line]);
            lua_rawseti(L, -2, ++n);
        }
    lua_rawset(L, -3);
}

/* coverage_stop(): ends that, and returns a list {line, count, ...} for each file by its name. */
static int l_stop(lua_State *L)
{
    lua_newtable(L);
    if (lua_getfield(L, LUA_REGISTRYINDEX, KEY) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        return 1;
    }
    struct coverage *coverage = lua_touserdata(L, -1);
    stop(L, coverage);
    lua_insert(L, -2); // stack: coverage, result
    for (int i = 0; i < CHAINS; i++)
        for (const struct file *file = coverage->chains[i]; file; file = file->next)
            set_counts(L, file);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, KEY);
    return 1;
}

void spt_open_coverage(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {
        {"coverage_start", l_start}, {"coverage_stop", l_stop}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
}
