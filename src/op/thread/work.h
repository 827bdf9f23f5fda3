/* SPDX-License-Identifier: MIT */
/* A function that runs in the thread pool, in a Lua state of its own. What it works on is bytes:
 * the threads share no Lua value. */
#ifndef SPT_OP_THREAD_WORK_H
#define SPT_OP_THREAD_WORK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "loop/job.h"
#include "op/thread/pack.h"

/* How the function ended. */
enum spt_thread_outcome {
    SPT_THREAD_RETURNED,   /* `values` are its results */
    SPT_THREAD_FAILED,     /* `values` is its error */
    SPT_THREAD_UNCOPIABLE, /* `values` is the text of its error, which cannot be copied */
    SPT_THREAD_BAD_RESULT, /* `refusal` says why its results cannot be copied */
    SPT_THREAD_NO_MEMORY,
};

struct spt_thread {
    struct spt_job job;
    struct spt_buf code;      /* the function, as lua_dump() writes it */
    struct spt_buf values;    /* first its arguments */
    struct spt_buf traceback; /* of its error */
    struct spt_pack_refusal refusal;
    enum spt_thread_outcome outcome;
    size_t memory, max_memory; /* bytes of its state; 0: no limit */
    bool is_trusted;           /* it has files, the environment and `require` */
    bool prints;               /* to standard output */
    char *path;                /* owned; where `require` looks */
    char where[128];           /* the function's definition, for display */
};

/* Returns the thread that runs the function of a state. */
static inline struct spt_thread *spt_thread_of(lua_State *W)
{
    return *(struct spt_thread **)lua_getextraspace(W);
}

#endif
