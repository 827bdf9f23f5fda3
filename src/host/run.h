/* SPDX-License-Identifier: MIT */
/* The drain, which the loop calls in each turn, and the functions that turn the loop. */
#ifndef SPT_HOST_RUN_H
#define SPT_HOST_RUN_H

#include "host/state.h"

/* Runs tasks until nothing is new or the turn's budget is exhausted. `ud` is the host. Returns the
 * instant, in nanoseconds, at which it is to be called again. */
uint64_t spt_run_drain(void *ud);

/* Returns true if a drain would find something to do at once. */
bool spt_run_is_due(septet_host *h);

/* Polls once, without waiting, and drains once, until the deadline of the loop's budget. The drain
 * runs at least one task if one is ready. */
void spt_run_step(septet_host *h);

/* Returns true inside a drain or a turn of the loop, where the host can be neither run nor
 * freed. */
bool spt_run_is_inside(const septet_host *h);

#endif
