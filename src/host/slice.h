/* SPDX-License-Identifier: MIT */
/* The limits of a slice: the instructions and the time that a task may run without waiting. */
#ifndef SPT_HOST_SLICE_H
#define SPT_HOST_SLICE_H

#include "host/state.h"

/* instructions between two checks, at most, of which each may call a C function that takes long */
enum { SPT_SLICE_STEP_MAX = 100 };

/* Counts what the running task `t` has run, and raises TaskHog in L if that is beyond a limit of
 * its script or of the host. Called by the count hook: `ar` is its record; NULL if instructions
 * that no hook has counted may have run. Once a slice is over its limit, each instruction in its
 * coroutines raises. So a loop that catches the error is left at its next instruction. */
void spt_slice_check(lua_State *L, const lua_Debug *ar, septet_host *h, struct spt_task *t);

/* Returns the number of instructions between two checks that the limits need; 0 if they need
 * none. */
int spt_slice_step(const septet_limits *limits);

#endif
