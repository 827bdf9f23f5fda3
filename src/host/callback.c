/* SPDX-License-Identifier: MIT */
/* Runs callbacks by lua_pcall, and counts them, because the host can be neither run nor freed
 * inside one. */
#include "host/callback.h"

#include <lauxlib.h>
#include <stdio.h>

#include "core/error.h"

struct protected_run {
    septet_host *host;
    const struct spt_callback *callback;
    bool began;
};

static void run(struct protected_run *r)
{
    r->began = true;
    r->callback->run(r->host, r->callback->arg);
}

static int run_protected(lua_State *L)
{
    struct protected_run *r = lua_touserdata(L, -1);
    lua_pop(L, 1);
    run(r);
    return 0;
}

/* Warns of the error at index 1 that a callback raised. */
static int warn_of_error(lua_State *L)
{
    const struct protected_run *r = lua_touserdata(L, 2);
    spt_host_warn(r->host, lua_pushfstring(L, "%s failed: %s", r->callback->name,
                                           spt_error_push_words(L, 1)));
    return 0;
}

/* Warns of the error on top of the stack, and pops it. */
static void warn_failed(lua_State *L, struct protected_run *r)
{
    char text[64];
    lua_pushcfunction(L, warn_of_error);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, r);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK)
        return;
    lua_pop(L, 1);
    snprintf(text, sizeof text, "%s failed: not enough memory", r->callback->name);
    spt_host_warn(r->host, text);
}

bool spt_callback_run(septet_host *h, const struct spt_callback *callback, int nvalues)
{
    struct protected_run r = {.host = h, .callback = callback};
    lua_State *L = h->L;
    if (!lua_checkstack(L, 4)) {
        lua_pop(L, nvalues);
        return false;
    }
    lua_pushcfunction(L, run_protected);
    lua_insert(L, -(nvalues + 1));
    lua_pushlightuserdata(L, &r);
    h->callbacks.running++;
    int status = lua_pcall(L, nvalues + 1, 0, 0);
    h->callbacks.running--;
    if (status == LUA_OK)
        return true;
    if (r.began)
        warn_failed(L, &r);
    else
        lua_pop(L, 1);
    return r.began;
}

void spt_callback_run_plainly(septet_host *h, const struct spt_callback *callback)
{
    if (spt_callback_run(h, callback, 0))
        return;
    h->callbacks.running++;
    callback->run(h, callback->arg);
    h->callbacks.running--;
}
