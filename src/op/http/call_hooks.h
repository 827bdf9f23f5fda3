/* SPDX-License-Identifier: MIT */
/* Passes the signals of a request, and its end, on to the hooks of a script. */
#ifndef SPT_OP_HTTP_CALL_HOOKS_H
#define SPT_OP_HTTP_CALL_HOOKS_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/signal_log.h"

struct spt_request;

/* How a request ended. */
struct spt_http_end {
    uint64_t t_ns;
    bool reached;
    bool cancelled;
    bool incomplete; /* the script closed it before the end of the body */
};

/* The hooks of a request, and what is to be passed on to them. */
struct spt_http_hooks {
    const void *key; /* key of the object in the registry; NULL if the request has no hooks */
    bool end_due;
    struct spt_signal_log log;
};

/* Makes the table of objects with hooks. */
void spt_http_hooks_open(lua_State *L);

/* Registers the object at `index` under `key`, with a weak reference. Its method `signal` receives
 * the signals of the request, and `ended` its end. Returns the signals that its field `wanted`
 * names, as bits. */
unsigned spt_http_hooks_set(lua_State *L, int index, const void *key);

/* Delivers the signals, and after them the end if it is due. A hook may add to them. Returns false
 * if that raised, with the error on top of the stack. */
bool spt_http_hooks_deliver(lua_State *L, struct spt_http_hooks *hooks, const struct spt_request *r,
                            const struct spt_http_end *end);

#endif
