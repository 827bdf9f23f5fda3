/* What ends running code from outside: the limit on a turn, an interruption, the end of the run by
 * a script. */
#ifndef SPT_HOST_GUARD_H
#define SPT_HOST_GUARD_H

#include "host/state.h"

enum { SPT_HOOK_COUNT = 100000 }; /* instructions between two looks at the time, where turns are limited */

/* The hook of each task's coroutine where turns are limited. */
void spt_guard_slice_hook(lua_State *L, lua_Debug *ar);

/* The hook of what runs when the host is interrupted. */
void spt_guard_interrupt_hook(lua_State *L, lua_Debug *ar);

/* Cancels the main tasks for an interruption that was asked for. */
void spt_guard_act_on_interrupt(septet_host *h);

/* Cancels each child of a scope of the host's. `source` and `reason` are static. */
void spt_guard_cancel_children(struct spt_scope *scope, const char *source, const char *reason);

#endif
