/* SPDX-License-Identifier: MIT */
/* Adds to the driver's queues. Only driver.c takes from them. */
#include "http/queues.h"

#include "http/request.h"
#include "loop/loop.h"

void spt_queues_init(struct spt_queues *queues, struct spt_loop *loop)
{
    queues->loop = loop;
    spt_link_init(&queues->sessions);
    spt_link_init(&queues->finished);
    spt_link_init(&queues->progress);
    spt_link_init(&queues->resume);
    spt_link_init(&queues->stalls);
    spt_link_init(&queues->fd_waiters);
    queues->fds_released = 0;
}

void spt_queues_add(struct spt_queues *queues, struct spt_link *queue, struct spt_link *link)
{
    if (!spt_link_alone(link))
        return;
    spt_list_push(queue, link);
    spt_loop_wake(queues->loop);
}

void spt_queues_add_progress(struct spt_queues *queues, struct spt_request *r)
{
    if (r->events->on_progress)
        spt_queues_add(queues, &queues->progress, &r->response->links.progress);
}

void spt_queues_fd_released(struct spt_queues *queues)
{
    if (spt_list_is_empty(&queues->fd_waiters))
        return;
    queues->fds_released++;
    spt_loop_wake(queues->loop);
}

bool spt_queues_are_idle(const struct spt_queues *queues)
{
    return spt_list_is_empty(&queues->sessions) && spt_list_is_empty(&queues->finished) &&
           spt_list_is_empty(&queues->progress) && spt_list_is_empty(&queues->resume) &&
           queues->fds_released == 0;
}
