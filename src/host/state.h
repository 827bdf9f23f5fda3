/* SPDX-License-Identifier: MIT */
/* The members of a host; private to host/. */
#ifndef SPT_HOST_STATE_H
#define SPT_HOST_STATE_H

#include <lua.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/sched.h"
#include "host/ledger.h"
#include "op/env.h"
#include "septet/septet.h"

struct spt_driver;
struct spt_loop;

/* The part of a host that Lua functions refer to. It lives in the Lua state, which may outlive the
 * host. */
struct spt_host_core {
    struct spt_env env;
    struct spt_sched sched;
};

struct spt_host_deadlock {
    bool found;          /* set by the drain of septet_run() */
    uint32_t last_id;    /* id of the last task spawned before the first deadlock of this run */
    uint64_t t_first_ns; /* time of that deadlock */
};

/* The turn that the count hook saw last. */
struct spt_host_slice {
    uint32_t task, turn;
    uint64_t t_seen_ns;    /* time at which it was first seen */
    uint64_t instructions; /* number run so far, as counted */
    /* "instructions", "time" or "memory": the limit that it exceeded; NULL: none */
    const char *over;
    lua_Number max; /* that limit: a number, or seconds */
};

struct spt_host_limits {
    struct spt_host_slice slice;
    struct spt_ledger ledger; /* not used in the embedder's state */
};

/* The embedder's callbacks: those that run, each inside the one before, and those to come. */
struct spt_host_callbacks {
    unsigned running;      /* number of them */
    bool reporting;        /* one of them is on_error, where nothing can be loaded */
    bool nested;           /* code inside the host has run its loop, which is to be raised */
    struct spt_link calls; /* of septet_call(), until their on_result has returned */
};

/* How long the host may be used, and where. */
struct spt_host_life {
    pthread_t thread;               /* in which it was made */
    unsigned forks;                 /* spt_forks_count() when it was made */
    struct septet_mailbox *mailbox; /* a reference */
    /* the core once the embedder has closed the Lua state: it has no tasks */
    struct spt_host_core closed_core;
};

/* The garbage collector in what is left of the steps' budgets. */
struct spt_host_collector {
    int low_kb;        /* least memory seen since the last cycle; 0: not seen yet */
    int start_kb;      /* memory at which the next cycle begins */
    unsigned steps;    /* number of steps of the running cycle so far; 0: none runs */
    bool generational; /* the state's collector was found in this mode, and is left alone */
    uint64_t max_ns;   /* of the longest step so far */
};

/* The end that septet_close_begin() has begun. */
struct spt_host_closing {
    bool begun;
    bool left;            /* something is left for the following steps */
    uint32_t next_anchor; /* of the task to be met next; 0: none */
    unsigned cycles;      /* number of cycles of the collector since the last task ended */
    int kb;               /* memory at the end of the last of them */
};

struct spt_host_step {
    bool turning; /* in a turn of the loop made by septet_run() or _step(), or ending */
    bool more;    /* the last drain stopped at its budget, with work left */
    struct spt_host_collector collector;
    struct spt_host_closing closing;
};

struct septet_host {
    septet_config config;
    lua_State *L;               /* owned, unless config.lua; NULL once the embedder has closed it */
    struct spt_host_core *core; /* in the Lua state, or in `life` once that is closed */
    struct spt_loop *loop;
    struct spt_driver *driver;
    struct spt_host_life life;
    uint32_t failures; /* number of unhandled failures so far */
    bool running;      /* inside septet_run */
    struct spt_host_step step;
    struct spt_host_callbacks callbacks;
    struct spt_host_deadlock deadlock;
    atomic_bool interrupt;  /* septet_interrupt() was called */
    atomic_bool inspection; /* septet_inspect() was called */
    bool interrupted;       /* the interruption was acted upon */
    bool ending;            /* the host cancelled the main tasks, which is no failure */
    struct spt_host_limits limits;
};

/* Calls on_warning if the embedder has set it. */
static inline void spt_host_warn(const septet_host *h, const char *message)
{
    if (h->config.on_warning)
        h->config.on_warning(h->config.ud, message);
}

static inline struct spt_sched *spt_host_sched(const septet_host *h)
{
    return &h->core->sched;
}

#endif
