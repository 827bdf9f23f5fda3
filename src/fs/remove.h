/* SPDX-License-Identifier: MIT */
/* Removes a file, or a folder with all that is in it. Follows no link, and removes nothing outside
 * the folder, whatever is renamed meanwhile. */
#ifndef SPT_FS_REMOVE_H
#define SPT_FS_REMOVE_H

#include <sys/types.h>

#include "fs/call.h"
#include "fs/tree.h"

struct spt_fs_remove {
    struct spt_fs_call call;
    char *path;      /* owned; NULL once the parent is given */
    char *base;      /* owned; the last name of it */
    int parent;      /* the folder that it is in; -1: not open */
    bool recursive;  /* else a folder must be empty */
    bool identified; /* it must be this folder, or nothing is removed */
    bool persists;   /* it goes on when it is abandoned, and what is gone is no error */
    bool begun;
    dev_t dev;
    ino_t ino;
    uint64_t removed; /* number of entries removed */
    uint64_t retried; /* that number when a folder was last entered again */
    char *again;      /* owned; name of the folder that is entered again */
    struct spt_fs_tree tree;
};

/* Returns a call that removes a path, or NULL if there is no memory. */
struct spt_fs_remove *spt_fs_remove_new(const char *path, bool recursive);

/* Prepares a part of another call: it removes `base` in the folder `parent`, both of which it
 * owns. */
void spt_fs_remove_init_at(struct spt_fs_remove *r, int parent, char *base);

/* Does the next step. */
int spt_fs_remove_step(struct spt_fs_call *call);

/* Releases what the call holds, but not its memory. */
void spt_fs_remove_release(struct spt_fs_remove *r);

#endif
