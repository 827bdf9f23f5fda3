/* SPDX-License-Identifier: MIT */
/* Loads and spawns protected. What fails leaves no task behind. */
#include "host/load.h"

#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/spawn.h"
#include "core/task.h"
#include "host/report.h"

bool spt_load_is_over(const septet_host *h)
{
    return spt_host_sched(h)->run.shutting_down || h->step.closing.begun;
}

/* Returns SEPTET_OK if tasks can be spawned now. */
static int check_open(const septet_host *h)
{
    if (h->callbacks.reporting)
        return SEPTET_EBUSY;
    return spt_load_is_over(h) ? SEPTET_ECLOSED : SEPTET_OK;
}

/* --- spawning --- */

static int spawn_protected(lua_State *L)
{
    // stack: fn, arguments..., the spawn
    struct spt_load_spawn *spawn = lua_touserdata(L, -1);
    struct spt_sched *s = spt_host_sched(spawn->host);
    spt_check_callable(L, 1);
    lua_pushstring(L, spawn->name); /* nothing may fail once the task exists */
    lua_replace(L, -2);
    lua_insert(L, 1); // stack: name, fn, arguments...
    struct spt_task *t = spawn->task = spt_spawn_main(L, s, spawn->script, spawn->nargs);
    if (!spawn->name)
        return 0;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, SPT_TASK_UV_NAME);
    spt_trace_put(&s->trace, (struct spt_rec){
                                 .t = s->now_ns,
                                 .task = t->id,
                                 .kind = SPT_REC_NAME,
                                 .a = spt_trace_text(&s->trace, spawn->name, strlen(spawn->name))});
    return 0;
}

/* Pops the error of a protected spawn, and returns its status. */
static int status_of_error(lua_State *L, int status)
{
    bool limit = spt_error_is(L, -1, "LimitExceeded");
    lua_pop(L, 1);
    return status == LUA_ERRMEM ? SEPTET_ENOMEM : limit ? SEPTET_ELIMIT : SEPTET_EINVAL;
}

int spt_load_spawn(struct spt_load_spawn *spawn)
{
    lua_State *L = spawn->host->L;
    int nargs = spawn->nargs, open = check_open(spawn->host);
    if (open != SEPTET_OK)
        return open;
    if (nargs < 0 || lua_gettop(L) <= nargs)
        return SEPTET_EINVAL;
    if (!lua_checkstack(L, 4)) {
        lua_pop(L, nargs + 1);
        return SEPTET_ENOMEM;
    }
    lua_pushcfunction(L, spawn_protected);
    lua_insert(L, -(nargs + 2));
    lua_pushlightuserdata(L, spawn);
    int status = lua_pcall(L, nargs + 2, 0, 0);
    return status == LUA_OK ? SEPTET_OK : status_of_error(L, status);
}

int septet_spawn(septet_host *host, const char *name, int nargs)
{
    return spt_load_spawn(&(struct spt_load_spawn){.host = host, .name = name, .nargs = nargs});
}

/* --- loading --- */

struct load {
    const struct spt_load_chunk *chunk;
    int status; /* of the parser */
};

/* Pushes the chunk as a function, or why it is none. Protected, because luaL_loadfilex() allocates
 * before it calls the parser. */
static int load_protected(lua_State *L)
{
    struct load *load = lua_touserdata(L, 1);
    const struct spt_load_chunk *chunk = load->chunk;
    load->status = chunk->path
                       ? luaL_loadfilex(L, chunk->path, "t")
                       : luaL_loadbufferx(L, chunk->source, chunk->length, chunk->chunkname, "t");
    if (load->status == LUA_OK && chunk->globals != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, chunk->globals);
        lua_setupvalue(L, -2, 1);
    }
    return 1;
}

int spt_load_chunk(struct spt_load_spawn *spawn, const struct spt_load_chunk *chunk)
{
    septet_host *h = spawn->host;
    struct load load = {.chunk = chunk};
    int open = check_open(h);
    if (open != SEPTET_OK)
        return open;
    if (!chunk->path && !chunk->source && chunk->length > 0)
        return SEPTET_EINVAL;
    if (!lua_checkstack(h->L, 4))
        return SEPTET_ENOMEM;
    lua_pushcfunction(h->L, load_protected);
    lua_pushlightuserdata(h->L, &load);
    int status = lua_pcall(h->L, 1, 1, 0);
    if (status == LUA_OK && (status = load.status) == LUA_OK)
        return spt_load_spawn(spawn);
    spt_report_load_error(h, spawn->script);
    return status == LUA_ERRMEM ? SEPTET_ENOMEM : SEPTET_ELOAD;
}

static int load(septet_host *host, const struct spt_load_chunk *chunk)
{
    return spt_load_chunk(&(struct spt_load_spawn){.host = host, .name = "main"}, chunk);
}

int septet_load_buffer(septet_host *host, const char *chunkname, const char *source, size_t length)
{
    return load(host, &(struct spt_load_chunk){.chunkname = chunkname,
                                               .source = source,
                                               .length = length,
                                               .globals = LUA_NOREF});
}

int septet_load_string(septet_host *host, const char *chunkname, const char *source)
{
    return source ? septet_load_buffer(host, chunkname, source, strlen(source)) : SEPTET_EINVAL;
}

int septet_load_file(septet_host *host, const char *path)
{
    return path ? load(host, &(struct spt_load_chunk){.path = path, .globals = LUA_NOREF})
                : SEPTET_EINVAL;
}
