/* SPDX-License-Identifier: MIT */
/* Makes a connection: looks the name up, asks whether it may, and tries the addresses. The next
 * address is tried once one has failed or is silent for a quarter of a second, while earlier ones
 * go on; the first that answers is taken. Knows no Lua and no tasks. */
#ifndef SPT_NET_DIAL_H
#define SPT_NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/timer.h"

struct spt_dial;
struct spt_loop;
struct spt_permit;
struct spt_policy;
struct spt_resolver;
struct spt_stream;

/* Called once the connection is made or has failed. May free the dial. */
typedef void spt_dial_fn(void *ud);

/* Where to connect to, and by what. All is borrowed until the dial is freed. */
struct spt_dial_config {
    struct spt_loop *loop;
    struct spt_timers *timers;
    struct spt_resolver *resolver; /* NULL for a path */
    const struct spt_permit *permit;
    const struct spt_policy *policy; /* NULL: everywhere */
    const char *host; /* a name or an address, in the form of hostname.h; NULL for a path */
    int port;
    const char *path;     /* of a unix socket; NULL for a host */
    uint64_t deadline_ns; /* SPT_NEVER: none */
};

/* Why a connection could not be made. */
struct spt_dial_failure {
    int error;        /* libuv's error number, 0 if there is none */
    const char *code; /* static: "dns", "denied", "timeout"; NULL: that of the error */
    /* static: what the lookup says, or the part that a rule denies; NULL for none */
    const char *reason;
    const char *text; /* of a lookup, static, or the rule, borrowed from the policy; or NULL */
};

/* Returns NULL if memory is out. */
struct spt_dial *spt_dial_new(const struct spt_dial_config *config);

/* Begins. Returns true if it is done at once; fn is then not called. */
bool spt_dial_start(struct spt_dial *dial, spt_dial_fn *fn, void *ud);

/* Returns the stream of a dial that is done, and gives it to the caller, or NULL if it failed. */
struct spt_stream *spt_dial_take(struct spt_dial *dial);

/* Returns why it failed. */
const struct spt_dial_failure *spt_dial_failure(const struct spt_dial *dial);

/* Ends what is under way, and frees it; NULL is a no-op. */
void spt_dial_free(struct spt_dial *dial);

#endif
