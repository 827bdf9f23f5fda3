/* SPDX-License-Identifier: MIT */
/* Puts the parts of core together in a Lua state. */
#ifndef SPT_CORE_CORE_H
#define SPT_CORE_CORE_H

#include <lua.h>
#include <stdint.h>

#include "core/sched.h"

/* Initialises a scheduler in the state of `L`, with all that core keeps there. Raises out of
 * memory: run it protected, then release. */
void spt_core_open(struct spt_sched *s, lua_State *L, const struct spt_hooks *hooks,
                   uint32_t trace_records);
void spt_core_release(struct spt_sched *s);

#endif
