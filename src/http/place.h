/* SPDX-License-Identifier: MIT */
/* Where the connections of a session are: how many each of its multis has to an origin, and how
 * many of these are idle. A request is placed where it finds an idle one, so that it is reused. The
 * counts may lag behind libcurl: then a request opens a connection that it could have reused. It
 * knows no requests and no limits. */
#ifndef SPT_HTTP_PLACE_H
#define SPT_HTTP_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct spt_multi;

/* The places of a session by their origins, except those that multis keep. */
struct spt_place_table {
    struct spt_link *buckets; /* owned; NULL until there is one */
};

/* What a multi has in all its places. */
struct spt_place_sums {
    unsigned connections; /* number of open ones, and of those that requests are to open */
    unsigned requests;    /* number of requests that use a place */
};

/* The connections of one multi to one origin. */
struct spt_place {
    struct spt_place_table *table; /* borrowed; NULL if its multi keeps it */
    struct spt_multi *multi;       /* borrowed */
    struct spt_place_sums *sums;   /* borrowed: its multi's */
    struct spt_link link; /* in its bucket; the last one to have an idle connection is first */
    uint32_t hash;        /* of the origin; two that have the same one share their places */
    int open;             /* number of connections */
    int busy;             /* number of requests that have one of them, or are to reuse one */
    int reserved;         /* number of requests that are to open one */
};

/* What a request does in its place. */
struct spt_place_use {
    struct spt_place *place; /* NULL if it has none */
    bool opens;              /* it is to open a connection, which is counted already */
};

/* Frees the table with all its places. */
void spt_place_release_table(struct spt_place_table *table);

/* Returns a place with an idle connection to the origin, or NULL. */
struct spt_place *spt_place_find_idle(const struct spt_place_table *table, uint32_t hash);

/* Returns the place of a multi and an origin, found or made. `sums` are those of the multi. Returns
 * NULL if memory is out. */
struct spt_place *spt_place_get(struct spt_place_table *table, struct spt_multi *multi,
                                struct spt_place_sums *sums, uint32_t hash);

/* Initialises a place that is a member of its multi. */
void spt_place_init_kept(struct spt_place *place, struct spt_multi *multi,
                         struct spt_place_sums *sums);

/* Begins a use of a place. If it `opens` a connection, that is counted from now on. */
void spt_place_enter(struct spt_place *place, struct spt_place_use *use, bool opens);

/* Records that the request has a connection. */
void spt_place_settle(struct spt_place_use *use);

/* Ends a use; a no-op if there is none. May free the place. */
void spt_place_leave(struct spt_place_use *use);

/* Records that a connection was opened. */
void spt_place_opened(struct spt_place *place);

/* Records that a connection was closed or found dead. May free the place. */
void spt_place_closed(struct spt_place *place);

#endif
