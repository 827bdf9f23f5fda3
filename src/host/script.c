/* SPDX-License-Identifier: MIT */
/* Makes scripts, loads chunks into them, and keeps how the last has ended. */
#include "host/script.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "core/reason.h"
#include "core/sched.h"
#include "core/task.h"
#include "host/callback.h"
#include "host/guard.h"
#include "host/load.h"
#include "lua/profile.h"

void septet_script_options_init(septet_script_options *options)
{
    *options = (septet_script_options){.size = sizeof *options};
}

/* --- creation --- */

struct opening {
    septet_script *script;
    bool shared_globals;
};

/* Makes the Lua values of a script. */
static int open_protected(lua_State *L)
{
    const struct opening *opening = lua_touserdata(L, 1);
    septet_script *script = opening->script;
    if (opening->shared_globals)
        lua_pushglobaltable(L);
    else
        spt_profile_push_globals(L, &script->host->core->env);
    script->globals = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_createtable(L, 1, 0);
    script->kept = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static void release_values(septet_script *script)
{
    lua_State *L = script->host->L;
    luaL_unref(L, LUA_REGISTRYINDEX, script->globals);
    luaL_unref(L, LUA_REGISTRYINDEX, script->kept);
    script->globals = script->kept = LUA_NOREF;
}

static void free_script(septet_script *script)
{
    free(script->name);
    free(script);
}

static void release(struct spt_script *script)
{
    free_script(script->handle);
}

static void call_on_end(septet_host *h, void *arg)
{
    septet_script *script = arg;
    script->on_end(script->ud, script, septet_script_status(script));
}

/* Runs after the script's last task has ended. The callback may unload it. */
static void on_end(struct spt_deferred *end, lua_State *main)
{
    septet_script *script = SPT_OF(end, struct spt_script, end)->handle;
    if (script->core.unloaded)
        spt_script_settle(&script->core);
    else if (script->core.account.tasks == 0 && script->on_end)
        spt_callback_run_plainly(script->host,
                                 &(struct spt_callback){"on_end", call_on_end, script});
}

/* Makes a script that is in no list yet. Returns SEPTET_OK or SEPTET_ENOMEM. */
static int make(septet_host *h, const septet_script_options *options, septet_script **out)
{
    septet_script *script = calloc(1, sizeof *script);
    struct opening opening = {.script = script, .shared_globals = options->shared_globals != 0};
    if (!script)
        return SEPTET_ENOMEM;
    script->host = h;
    script->core.handle = script;
    script->globals = script->kept = LUA_NOREF;
    script->on_end = options->on_end;
    script->ud = options->ud;
    script->core.account.limits = options->limits;
    script->core.keep_background = options->keep_background != 0;
    script->core.end.run = on_end;
    script->core.release = release;
    script->name = options->name ? strdup(options->name) : NULL;
    *out = script;
    if ((options->name && !script->name) || !lua_checkstack(h->L, 4))
        return SEPTET_ENOMEM;
    lua_pushcfunction(h->L, open_protected);
    lua_pushlightuserdata(h->L, &opening);
    if (lua_pcall(h->L, 1, 0, 0) == LUA_OK)
        return SEPTET_OK;
    lua_pop(h->L, 1);
    release_values(script);
    return SEPTET_ENOMEM;
}

/* Reads the options, of which an older embedder's are shorter. Returns a status. */
static int read_options(const septet_script_options *from, septet_script_options *to)
{
    septet_script_options_init(to);
    if (!from)
        return SEPTET_OK;
    if (from->size < offsetof(septet_script_options, limits))
        return SEPTET_EINVAL;
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    return spt_guard_knows(&to->limits) ? SEPTET_OK : SEPTET_EINVAL;
}

septet_script *septet_script_new(septet_host *host, const septet_script_options *options,
                                 int *status)
{
    septet_script_options read;
    septet_script *script = NULL;
    int rc = read_options(options, &read);
    if (rc == SEPTET_OK && spt_load_is_over(host))
        rc = SEPTET_ECLOSED;
    if (rc == SEPTET_OK && read.limits.memory && !host->limits.ledger.charges)
        rc = SEPTET_EINVAL;
    if (rc == SEPTET_OK)
        rc = make(host, &read, &script);
    if (rc == SEPTET_OK) {
        spt_script_open(&script->core, spt_host_sched(host));
        spt_guard_limit_slices(host, &read.limits, false);
    } else if (script) {
        free_script(script);
        script = NULL;
    }
    if (status)
        *status = rc;
    return script;
}

/* --- loading --- */

static int load(septet_script *script, struct spt_load_chunk *chunk)
{
    septet_host *h = script->host;
    struct spt_load_spawn spawn = {
        .host = h, .script = &script->core, .name = script->name ? script->name : "main"};
    if (!h->L)
        return SEPTET_ECLOSED;
    chunk->globals = script->globals;
    int rc = lua_checkstack(h->L, 4) ? spt_load_chunk(&spawn, chunk) : SEPTET_ENOMEM;
    if (rc != SEPTET_OK)
        return rc;
    script->last = spawn.task;
    lua_rawgeti(h->L, LUA_REGISTRYINDEX, script->kept);
    spt_task_push(h->L, spawn.task);
    lua_rawseti(h->L, -2, 1); /* an existing slot: allocates nothing */
    lua_pop(h->L, 1);
    return SEPTET_OK;
}

int septet_script_load(septet_script *script, const char *chunkname, const char *source,
                       size_t length)
{
    return load(script, &(struct spt_load_chunk){
                            .chunkname = chunkname, .source = source, .length = length});
}

int septet_script_load_file(septet_script *script, const char *path)
{
    return path ? load(script, &(struct spt_load_chunk){.path = path}) : SEPTET_EINVAL;
}

/* --- what it is --- */

uint32_t septet_script_id(const septet_script *script)
{
    return script->core.id;
}

int septet_script_status(const septet_script *script)
{
    if (script->core.account.tasks > 0)
        return 1;
    if (!script->last || script->last->state == SPT_TASK_DONE)
        return SEPTET_OK;
    return script->last->state == SPT_TASK_CANCELLED ? SEPTET_ECANCELLED : SEPTET_ESCRIPT;
}

size_t septet_script_tasks(const septet_script *script)
{
    return script->core.account.tasks;
}

int septet_script_push_results(septet_script *script, lua_State *L)
{
    const struct spt_task *t = script->last;
    if (!t || !spt_task_ended(t))
        return 0;
    bool done = t->state == SPT_TASK_DONE;
    if (!lua_checkstack(L, (done ? t->numbers.nresults : 1) + 4))
        return SEPTET_ENOMEM;
    int top = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->kept);
    lua_rawgeti(L, -1, 1);
    if (done)
        spt_task_push_results(L, top + 2, t);
    else
        lua_getiuservalue(L, top + 2, SPT_TASK_UV_VALUE);
    lua_remove(L, top + 2);
    lua_remove(L, top + 1);
    return lua_gettop(L) - top;
}

int septet_script_push_globals(septet_script *script, lua_State *L)
{
    if (!lua_checkstack(L, 1))
        return SEPTET_ENOMEM;
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->globals);
    return SEPTET_OK;
}

/* --- the end --- */

struct cancellation {
    septet_script *script;
    const char *reason;
    uint64_t nth; /* number of cancellations of the host before this one */
};

static int keep_reason_protected(lua_State *L)
{
    const struct cancellation *c = lua_touserdata(L, 1);
    lua_pushstring(L, c->reason);
    spt_reason_keep_tasks(L, &c->script->core.mains, c->nth, -1);
    spt_reason_keep_tasks(L, &c->script->core.background, c->nth, -1);
    return 0;
}

int septet_script_cancel(septet_script *script, const char *reason)
{
    lua_State *L = script->host->L;
    struct cancellation c = {
        .script = script, .reason = reason, .nth = script->core.sched->tree.cancellations};
    spt_script_cancel(&script->core, NULL);
    if (!reason || !L)
        return SEPTET_OK;
    if (!lua_checkstack(L, 4))
        return SEPTET_ENOMEM;
    lua_pushcfunction(L, keep_reason_protected);
    lua_pushlightuserdata(L, &c);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return SEPTET_OK;
    lua_pop(L, 1);
    return SEPTET_ENOMEM;
}

void septet_script_unload(septet_script *script)
{
    if (!script)
        return;
    script->on_end = NULL;
    script->last = NULL;
    release_values(script);
    spt_script_unload(&script->core);
}

void spt_script_detach_all(septet_host *h, struct spt_link *list)
{
    spt_link_init(list);
    spt_list_splice(list, &spt_host_sched(h)->tree.scripts);
    for (struct spt_link *l = list->next; l != list; l = l->next)
        SPT_OF(l, struct spt_script, link)->unloaded = false; /* nothing releases it alone */
}

void spt_script_free_all(struct spt_link *list)
{
    for (struct spt_link *l; (l = spt_list_pop(list));)
        free_script(SPT_OF(l, struct spt_script, link)->handle);
}

void spt_script_lose_all(septet_host *h, struct spt_sched *to)
{
    struct spt_link list;
    spt_script_detach_all(h, &list);
    for (struct spt_link *l; (l = spt_list_pop(&list));) {
        septet_script *script = SPT_OF(l, struct spt_script, link)->handle;
        uint32_t id = script->core.id;
        script->core.account = (struct spt_account){.limits = script->core.account.limits};
        spt_script_open(&script->core, to);
        script->core.id = id;
        script->globals = script->kept = LUA_NOREF;
        script->last = NULL;
    }
}
