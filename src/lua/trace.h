/* SPDX-License-Identifier: MIT */
/* The delivery of trace records to their readers. */
#ifndef SPT_LUA_TRACE_H
#define SPT_LUA_TRACE_H

#include <stdint.h>

struct spt_env;

/* Passes new records to the readers. Runs on the main state, protected. Cheap if there is nothing
 * new. */
void spt_trace_flush(struct spt_env *env);

/* Returns the instant at which spt_trace_flush() has something to do even if no task runs, or
 * SPT_NEVER. */
uint64_t spt_trace_due(const struct spt_env *env);

#endif
