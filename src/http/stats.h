/* SPDX-License-Identifier: MIT */
/* What a session counts. */
#ifndef SPT_HTTP_STATS_H
#define SPT_HTTP_STATS_H

#include <stdint.h>

/* The current state of a session and its totals since it was made. A request is an attempt here;
 * redirects and retries count as further ones. */
struct spt_session_stats {
    unsigned active, queued; /* number of requests in flight and queued */
    unsigned connections;    /* number open or being opened */
    uint64_t requests;       /* number started */
    uint64_t failed;         /* ... that ended without a response */
    uint64_t cancelled;      /* ... that were cancelled */
    uint64_t made, reused;   /* connections opened and reused for requests */
    uint64_t dropped;        /* idle connections found closed */
    uint64_t received;       /* bytes of bodies, after decoding */
    uint64_t sent;           /* bytes of bodies */
};

#endif
