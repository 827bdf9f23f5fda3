/* SPDX-License-Identifier: MIT */
/* The embedder's handle of a script. */
#ifndef SPT_HOST_SCRIPT_H
#define SPT_HOST_SCRIPT_H

#include "core/script.h"
#include "host/state.h"

struct septet_script {
    struct spt_script core;
    septet_host *host; /* borrowed */
    char *name;        /* owned; NULL: the chunk's */
    int globals;       /* reference in the registry to the table of its globals */
    int kept;          /* reference to a table that keeps the handle of `last` */
    /* the task of the chunk that was loaded last; NULL if none was */
    struct spt_task *last;
    void (*on_end)(void *ud, septet_script *script, int status);
    void *ud;
};

/* Moves the scripts of a host that ends into `list`, for spt_script_free_all(), which is called
 * once its Lua state cannot reach them any more. */
void spt_script_detach_all(septet_host *h, struct spt_link *list);
void spt_script_free_all(struct spt_link *list);

/* Moves the scripts of a host to another scheduler, without tasks and values, because its Lua state
 * is being closed. */
void spt_script_lose_all(septet_host *h, struct spt_sched *to);

#endif
