/* SPDX-License-Identifier: MIT */
/* What the readers of the trace share: the sinks of scripts (trace.c) and the recordings
 * (trace_file.c). */
#ifndef SPT_LUA_TRACE_READERS_H
#define SPT_LUA_TRACE_READERS_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "base/list.h"
#include "core/scope.h"

struct spt_env;
struct spt_trace_block;

struct spt_trace_readers {
    struct spt_env *env;
    struct spt_resource resource;       /* releases the blocks with the host */
    struct spt_link recordings;         /* of trace_file.c; the oldest first */
    struct spt_trace_block *block;      /* owned; for the sinks; NULL until its first use */
    struct spt_trace_block *file_block; /* owned; for the recordings; NULL until the first one */
    uint64_t flushed;                   /* the ring's head when the readers last ran */
    bool flushing;                      /* while the sinks are called */
    uint64_t sample_ns, clock_ns;       /* instants of the next records of these kinds */
    uint64_t wake_ns;                   /* when the sinks run without new records, too */
    int sinks_level, files_level;       /* what they need; 0: there are none */
};

/* Sets the level of the ring to what its readers need, at least 1. */
void spt_trace_readers_set_level(struct spt_trace_readers *readers);

/* Begins a reader, with a record of the wall clock. Returns its cursor. */
uint64_t spt_trace_readers_begin(struct spt_trace_readers *readers);

/* Records what the wall clock is at `t`. A virtual clock begins with the year 2000, so that equal
 * runs have equal traces. */
void spt_trace_readers_clock(struct spt_trace_readers *readers, uint64_t t);

/* Raises IoError unless the embedder lets scripts read the trace. `subject` is the path of a
 * recording, or "" for a sink. */
void spt_trace_readers_check(lua_State *L, struct spt_env *env, const char *subject);

#endif
