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

/* Closes all waits, because the Lua state is being closed. No task resumes any more. To be called
 * before the release. */
void spt_core_lose(struct spt_sched *s);

/* Initialises a scheduler that has no Lua state and takes no task. */
void spt_core_init_closed(struct spt_sched *s);

#endif
