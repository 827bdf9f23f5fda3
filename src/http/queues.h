/* SPDX-License-Identifier: MIT */
/* What the next pass of the driver has to do, as queues of sessions, requests and handles. */
#ifndef SPT_HTTP_QUEUES_H
#define SPT_HTTP_QUEUES_H

#include <stdbool.h>

#include "base/list.h"

struct spt_loop;
struct spt_request;

struct spt_queues {
    struct spt_loop *loop;      /* borrowed; woken when a queue is added to */
    struct spt_link sessions;   /* sessions to be run */
    struct spt_link finished;   /* completed requests to be reported */
    struct spt_link progress;   /* responses with an on_progress to be called */
    struct spt_link resume;     /* responses of paused requests that may be resumed */
    struct spt_link stalls;     /* handles to be unstalled, with quirk POKE */
    struct spt_link fd_waiters; /* responses of requests for which no descriptor was left */
    unsigned fds_released;      /* number of descriptors released since the last retry */
    bool rested;                /* the last pass found nothing to do */
};

void spt_queues_init(struct spt_queues *queues, struct spt_loop *loop);

/* Adds a node to one of the queues, unless it is in it, and wakes the loop. */
void spt_queues_add(struct spt_queues *queues, struct spt_link *queue, struct spt_link *link);

/* Schedules a call of the on_progress of an admitted request, if it has one. */
void spt_queues_add_progress(struct spt_queues *queues, struct spt_request *r);

/* Records that a descriptor, or a connection that other requests may use, was released. */
void spt_queues_fd_released(struct spt_queues *queues);

/* Returns true if there is nothing to do at once. */
bool spt_queues_are_idle(const struct spt_queues *queues);

#endif
