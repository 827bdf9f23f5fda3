/* SPDX-License-Identifier: MIT */
/* Watches the state by a userdata in its registry. lua_close() calls its finalizer while all memory
 * of the state is still valid. */
#include "host/ends.h"

#include "core/core.h"
#include "host/call.h"
#include "host/script.h"
#include "http/driver.h"
#include "lua/luv_things.h"

/* The userdata in the registry. */
struct sentinel {
    septet_host *host; /* NULL once it has ended */
};

static const char sentinel_key = 0; /* its address is the registry key */

/* Releases what scripts left open, last first: a stream before its session, and a session before
 * the driver. */
static void release_resources(struct spt_env *env)
{
    while (!spt_list_is_empty(&env->resources)) {
        struct spt_link *last = env->resources.prev;
        spt_link_remove(last);
        struct spt_resource *r = SPT_OF(last, struct spt_resource, link);
        r->release(r);
    }
}

static void run_all(struct spt_link *queue, lua_State *main)
{
    for (struct spt_link *l; (l = spt_list_pop(queue));) {
        struct spt_deferred *deferred = SPT_OF(l, struct spt_deferred, link);
        deferred->run(deferred, main);
    }
}

static void forget(septet_host *h)
{
    lua_rawgetp(h->L, LUA_REGISTRYINDEX, &sentinel_key);
    struct sentinel *sentinel = lua_touserdata(h->L, -1);
    lua_pop(h->L, 1);
    if (sentinel && sentinel->host == h)
        sentinel->host = NULL;
}

void spt_ends_close(septet_host *h)
{
    h->limits.ledger.sched = NULL; /* it lives in the state */
    forget(h);
    if (h->core)
        release_resources(&h->core->env);
    if (h->driver) {
        spt_driver_free(h->driver);
        h->driver = h->core->env.driver = NULL;
    }
    if (h->core) {
        spt_luv_end(&h->core->env);
        run_all(&spt_host_sched(h)->queues.deferred, h->L); /* they free what they have */
        spt_core_release(spt_host_sched(h));
        h->core->env.loop = NULL;
    }
    if (h->core && h->config.lua)
        h->core->env.config = NULL; /* the state's functions outlive it */
}

/* Gives the host a core without tasks, because that in the state is about to be freed. */
static void replace_core(septet_host *h)
{
    struct spt_host_core *core = &h->life.closed_core;
    *core = (struct spt_host_core){.env.sched = &core->sched};
    spt_link_init(&core->env.resources);
    spt_core_init_closed(&core->sched);
    spt_script_lose_all(h, &core->sched);
    h->core = core;
    h->L = NULL;
}

static int l_gc(lua_State *L)
{
    septet_host *h = ((struct sentinel *)lua_touserdata(L, 1))->host;
    if (!h)
        return 0;
    struct spt_sched *s = spt_host_sched(h);
    spt_sched_refuse_awaits(s);
    spt_core_lose(s);
    run_all(&s->queues.endings, L);
    spt_call_end_all(h);
    spt_ends_close(h);
    replace_core(h);
    return 0;
}

void spt_ends_watch(lua_State *L, septet_host *h)
{
    struct sentinel *sentinel = lua_newuserdatauv(L, sizeof *sentinel, 0);
    sentinel->host = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &sentinel_key);
    sentinel->host = h;
}
