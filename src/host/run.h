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
 * runs at least one task if one is ready. Returns like spt_run_check(). */
int spt_run_step(septet_host *h);

/* Returns true inside a drain or a turn of the loop, where the host can be neither run nor
 * freed. */
bool spt_run_is_inside(const septet_host *h);

/* Returns SEPTET_OK if the host can be run or freed. Otherwise the status of the call that tries:
 *
 * - SEPTET_EINVAL: in another thread than that which made the host.
 * - SEPTET_EBUSY: inside it.
 * - SEPTET_ECLOSED: its Lua state was closed. It can be freed.
 * - SEPTET_ELOOP: in a child process after fork(). */
int spt_run_check(const septet_host *h);

/* Like spt_run_check(), but also returns SEPTET_ELOOP if handles of the loop were closed. Such a
 * host can be freed, but not run. */
int spt_run_check_loop(const septet_host *h);

#endif
