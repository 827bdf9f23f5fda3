/* SPDX-License-Identifier: MIT */
/* Makes main tasks of chunks and of functions. */
#ifndef SPT_HOST_LOAD_H
#define SPT_HOST_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "host/state.h"

struct spt_script;
struct spt_task;

/* Returns true if the host is ending, so that nothing can be loaded. */
bool spt_load_is_over(const septet_host *h);

/* A main task to spawn. */
struct spt_load_spawn {
    septet_host *host;
    struct spt_script *script; /* NULL: the host */
    const char *name;          /* NULL: the place of its function's definition */
    int nargs;
    struct spt_task *task; /* set on success */
};

/* Spawns a main task of the function and the arguments on top of the host's stack. Pops them,
 * unless they are too few or nothing can be spawned now. Returns a status of septet_spawn. */
int spt_load_spawn(struct spt_load_spawn *spawn);

/* A chunk to load: a text, or a file if `path` is set. */
struct spt_load_chunk {
    const char *chunkname;
    const char *source;
    size_t length;
    const char *path;
    int globals; /* reference in the registry to its table of globals; LUA_NOREF: the host's */
};

/* Spawns a main task of a chunk. If it cannot be loaded, reports that to on_error. Returns a status
 * of septet_load_buffer. */
int spt_load_chunk(struct spt_load_spawn *spawn, const struct spt_load_chunk *chunk);

#endif
