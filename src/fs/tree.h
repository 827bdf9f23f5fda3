/* SPDX-License-Identifier: MIT */
/* Goes through all that is in a folder, depth first: an entry, then what is in it, then the end of
 * it. Holds so many descriptors and names at a time, at any depth and for any number of entries.
 * Never leaves the folder, unless it follows links. Makes blocking system calls, so it is for the
 * thread pool only. */
#ifndef SPT_FS_TREE_H
#define SPT_FS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/dirs.h"
#include "fs/names.h"

enum spt_fs_tree_kind {
    SPT_FS_TREE_ENTRY, /* something in the folder `at`; its contents, if it has any, follow */
    SPT_FS_TREE_LEAVE, /* the folder `name` in `at` had no more */
    SPT_FS_TREE_FAULT  /* the contents of the top, or of the folder `name` in it, cannot be read */
};

struct spt_fs_tree_item {
    enum spt_fs_tree_kind kind;
    int at;            /* the open folder */
    const char *name;  /* NULL: the folder at `path` itself */
    unsigned type;     /* S_IFMT bits of its mode; 0: it is gone */
    int error;         /* of a fault: a negative errno */
    const char *where; /* path of the folder `at`; not terminated */
    size_t where_len;
    size_t depth; /* number of names below the root: at least 1 */
};

struct spt_fs_tree_level {
    struct spt_names names;
    uint64_t id; /* number of its folder */
};

struct spt_fs_tree {
    struct spt_dirs dirs;
    struct spt_fs_tree_level *levels; /* as many as dirs.depth */
    size_t cap;
    uint64_t ids;        /* number of folders that were handed out */
    const char *pending; /* folder to enter next: the last entry; NULL: none */
    bool pending_link;   /* it is a link to one */
    bool follow;         /* links to folders are entered, and links to files are files */
    bool sorted;
    size_t linked; /* number of folders entered by a link, of those that are open */
};

/* Opens the folder `fd`, which it owns also after an error. `path` names it. Returns 0 or a
 * negative errno. The tree is released in any case. */
int spt_fs_tree_begin(struct spt_fs_tree *tree, int fd, const char *path);

/* Returns 1 with the next item, valid until the next call, 0 at the end, or -ENOMEM. */
int spt_fs_tree_next(struct spt_fs_tree *tree, struct spt_fs_tree_item *item);

/* Does not enter the folder that was handed out last. */
static inline void spt_fs_tree_skip(struct spt_fs_tree *tree)
{
    tree->pending = NULL;
}

/* Enters once more the folder `name` of the top, which was left. `name` remains valid. */
static inline void spt_fs_tree_again(struct spt_fs_tree *tree, const char *name)
{
    tree->pending = name;
    tree->pending_link = false;
}

/* Leaves the folder of that number, if it is open, and those in it. */
void spt_fs_tree_prune(struct spt_fs_tree *tree, uint64_t id);

/* Prepares a tree; each of its flags may then be set. */
void spt_fs_tree_init(struct spt_fs_tree *tree);
void spt_fs_tree_release(struct spt_fs_tree *tree);

#endif
