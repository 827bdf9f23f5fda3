/* What a host is made of; private to host/. */
#ifndef SPT_HOST_STATE_H
#define SPT_HOST_STATE_H

#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/sched.h"
#include "op/env.h"
#include "septet/septet.h"

struct spt_driver;
struct spt_loop;

/* What Lua functions point to: it lives in the Lua state, which may outlive the host. */
struct spt_host_core {
    struct spt_env env;
    struct spt_sched sched;
};

struct septet_host {
    septet_config config;
    lua_State *L; /* owned unless config.lua */
    struct spt_host_core *core;
    struct spt_loop *loop;
    struct spt_driver *driver;
    uint32_t failures;               /* errors that reached nobody, ever */
    bool running;                    /* inside septet_run */
    bool turning;                    /* inside a turn of the loop that septet_run or _step made */
    bool deadlocked;                 /* seen by the drain of septet_run */
    bool more;                       /* the last drain stopped at its budget, with work left */
    uint64_t deadlock_ns;            /* when the first of this run was */
    uint32_t deadlock_id;            /* of the last task that had been spawned then */
    volatile sig_atomic_t interrupt; /* septet_interrupt was called */
    bool interrupted;                /* ... and acted upon */
    bool ending;                     /* main tasks were cancelled by the host: that is no failure */
    uint32_t slice_task, slice_turn; /* whose turn on_slice saw last */
    uint64_t slice_ns;               /* ... and since when */
};

static inline struct spt_sched *spt_host_sched(const septet_host *h)
{
    return &h->core->sched;
}

#endif
