/* SPDX-License-Identifier: MIT */
/* Goes through a folder in batches, each of which is filled by a job. Holds a batch and what the
 * tree holds, however many entries there are. */
#ifndef SPT_FS_WALK_H
#define SPT_FS_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "fs/stat.h"
#include "fs/tree.h"
#include "loop/job.h"

enum {
    SPT_WALK_STAT = 1,   /* examine each entry */
    SPT_WALK_SORT = 2,   /* the entries of a folder in the order of their bytes */
    SPT_WALK_FOLLOW = 4, /* follow links */
    SPT_WALK_NAMES = 8   /* names in the place of paths */
};

/* An entry or a fault, in a batch. The next one lies `size` bytes behind it. */
struct spt_walk_entry {
    uint32_t size;
    uint32_t text_len; /* of the path, or the name */
    uint32_t name_at;  /* where the name begins in the path */
    int32_t error;     /* a negative errno; 0: an entry */
    uint64_t id;       /* number of a folder; 0: no folder */
    uint64_t depth;
    struct spt_fs_stat stat; /* with `type` alone, without SPT_WALK_STAT */
};

struct spt_walk {
    struct spt_job job; /* fills `batch` */
    struct spt_buf batch;
    uint64_t prune; /* number of a folder to be left before the next batch; 0: none */
    char *root;     /* owned */
    unsigned flags;
    uint64_t depth; /* the deepest entries; UINT64_MAX: no limit */
    bool begun;
    bool ended; /* nothing comes after the last batch */
    struct spt_fs_tree tree;
};

/* Returns a walk, or NULL if there is no memory. Its job fills `batch` each time it is started, and
 * sets `ended` with the last one. An error of the job, that of the root or out of memory, ends it,
 * too. */
struct spt_walk *spt_walk_new(const char *root, unsigned flags, uint64_t depth);

/* Returns the text of an entry, which has a NUL behind it. */
static inline const char *spt_walk_text(const struct spt_walk_entry *entry)
{
    return (const char *)(entry + 1);
}

#endif
