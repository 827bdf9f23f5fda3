/* SPDX-License-Identifier: MIT */
/* The delivery of trace records to the sinks of scripts. */
#ifndef SPT_LUA_TRACE_H
#define SPT_LUA_TRACE_H

struct spt_env;

/* Passes new records to the scripts' sinks. Runs on the main state, protected. Cheap if there is no
 * sink. */
void spt_trace_flush(struct spt_env *env);

#endif
