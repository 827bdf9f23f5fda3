/* SPDX-License-Identifier: MIT */
/* The delivery of trace records to their readers. */
#ifndef SPT_LUA_TRACE_H
#define SPT_LUA_TRACE_H

struct spt_env;

/* Passes new records to the readers. Runs on the main state, protected. Cheap if there is nothing
 * new. */
void spt_trace_flush(struct spt_env *env);

#endif
