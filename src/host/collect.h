/* SPDX-License-Identifier: MIT */
/* The garbage collector between the tasks' turns, in steps that end soon. What it collects there it
 * need not collect while a task runs. */
#ifndef SPT_HOST_COLLECT_H
#define SPT_HOST_COLLECT_H

#include "host/state.h"

/* Collects until the instant of uv_hrtime(), if a cycle is in progress or is about to begin. May
 * run finalizers. Not to be called from inside the host. */
void spt_collect_until(septet_host *h, uint64_t until_ns);

/* Collects all garbage of a state that septet_new made, for a host that ends: until the instant,
 * but at least one step. Returns true once nothing is left. */
bool spt_collect_rest(septet_host *h, uint64_t until_ns);

#endif
