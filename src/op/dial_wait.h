/* SPDX-License-Identifier: MIT */
/* The wait for a connection that is dialled. It knows no kind of connection. */
#ifndef SPT_OP_DIAL_WAIT_H
#define SPT_OP_DIAL_WAIT_H

#include <lua.h>

#include "core/op.h"
#include "net/dial.h"

struct spt_dial_wait;
struct spt_env;
struct spt_hostname;

/* The part of a handle that is being connected. */
struct spt_dialled {
    struct spt_dial *dial;           /* owned; NULL unless it is under way */
    struct spt_dial_failure failure; /* why it failed */
};

/* Gives the handle its stream, which it then owns. Returns a status. */
typedef int spt_dial_wait_take(struct spt_dial_wait *wait, struct spt_stream *stream);

/* The operation. It is zeroed, and its type has the functions below. The stack keeps alive what it
 * borrows. */
struct spt_dial_wait {
    septet_op op;
    struct spt_env *env;
    struct spt_dialled *dialled; /* of the handle */
    spt_dial_wait_take *take;
    struct spt_resolver *resolver;   /* NULL for a path */
    const struct spt_policy *policy; /* NULL: everywhere */
    const char *to;                  /* a host, or a path */
    uint64_t timeout_ns;             /* SPT_NEVER: none */
    int port;
    bool is_path;
};

/* Completes the operation with the status of `take`, or with SEPTET_OK once the dial has failed. */
int spt_dial_wait_start(septet_op *op);

void spt_dial_wait_cancel(septet_op *op);

/* Reads the host at `index` like spt_hostname_read(). An IPv6 address there gets brackets if it has
 * none. */
const char *spt_dial_wait_host(lua_State *L, int index, struct spt_hostname *host);

#endif
