/* SPDX-License-Identifier: MIT */
/* Reaches running code from outside: the time limit of a turn, interruption, inspection, and the
 * end of the run by a script. */
#ifndef SPT_HOST_GUARD_H
#define SPT_HOST_GUARD_H

#include "host/state.h"

/* The count hook of the coroutines of tasks: of those with limited turns, or of all if interrupts
 * from other threads are to be noticed. */
void spt_guard_count_hook(lua_State *L, lua_Debug *ar);

/* Prepares the host for `interrupt_count`. */
void spt_guard_notice_interrupts(septet_host *h);

/* Returns true if the limits are those that this version knows. */
bool spt_guard_knows(const septet_limits *limits);

/* Prepares the host for the limits of a slice, of all its tasks or of those of one script: its
 * account has them. Without such limits, it does nothing. */
void spt_guard_limit_slices(septet_host *h, const septet_limits *limits, bool all);

/* Makes the host's own state, in which memory is counted and may be limited. NULL: out of
 * memory. */
lua_State *spt_guard_new_state(septet_host *h);

/* Prepares the host for the limits of memory, once its core is open. */
void spt_guard_limit_memory(septet_host *h);

/* The hook of the running code when the host is interrupted or inspected. */
void spt_guard_urgent_hook(lua_State *L, lua_Debug *ar);

/* Calls on_inspect if septet_inspect() was called. */
void spt_guard_act_on_inspection(septet_host *h);

/* Cancels the main tasks after an interruption was requested. */
void spt_guard_act_on_interrupt(septet_host *h);

/* Cancels each task of one of the host's scopes, and of the scripts in it. `source` and `reason`
 * are static strings. */
void spt_guard_cancel_children(struct spt_scope *scope, const char *source, const char *reason);

#endif
