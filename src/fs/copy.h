/* SPDX-License-Identifier: MIT */
/* Copies a file, or a folder with all that is in it. A copy that fails or is abandoned is removed.
 * Links in a folder are copied as links. */
#ifndef SPT_FS_COPY_H
#define SPT_FS_COPY_H

#include "fs/call.h"
#include "fs/copy_file.h"
#include "fs/remove.h"
#include "fs/tree.h"

struct spt_fs_copy {
    struct spt_fs_call call;
    char *from; /* owned */
    char *to;   /* owned */
    char *base; /* owned; the last name of `to` */
    int parent; /* the folder that it is in; -1: not open */
    bool recursive;
    bool overwrite;
    int (*next)(struct spt_fs_copy *copy); /* the next part of the work, like a step */
    bool made_root;                        /* the folder `to` was made here */
    mode_t root_mode;                      /* permissions that it gets at the end */
    int failed;                            /* what the call ends with, once all is undone */
    struct spt_copy_file file;             /* the one that is being copied */
    struct spt_fs_tree tree;               /* what is copied */
    struct spt_dirs target;                /* where it is copied to: as deep as the tree */
    struct spt_fs_remove undo;             /* removes what was made */
};

/* Returns a call that copies `from` to `to`, which must not exist unless `overwrite` is set, or
 * NULL if there is no memory. */
struct spt_fs_copy *spt_fs_copy_new(const char *from, const char *to, bool recursive,
                                    bool overwrite);

#endif
