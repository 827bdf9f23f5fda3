/* SPDX-License-Identifier: MIT */
/* What takes one step: examining, making, renaming and truncating. */
#ifndef SPT_FS_SIMPLE_H
#define SPT_FS_SIMPLE_H

#include "fs/call.h"
#include "fs/stat.h"

struct spt_fs_simple {
    struct spt_fs_call call;
    char *path;   /* owned */
    char *other;  /* owned; the second path, or NULL */
    int64_t size; /* of a truncation, in bytes */
    int mode;     /* of a new folder; -1: the usual one */
    bool flag;    /* the option of the call */
    dev_t dev;    /* of a temporary folder */
    ino_t ino;
    struct spt_fs_stat stat; /* what was found */
    void *owner;             /* the caller's own */
};

/* Each function returns a call, or NULL if there is no memory. */

/* Examines a file; with `links`, a link itself. */
struct spt_fs_simple *spt_fs_stat_new(const char *path, bool links);

/* Makes a folder; with `parents` also those above it, and one that exists is no error. */
struct spt_fs_simple *spt_fs_mkdir_new(const char *path, bool parents, int mode);

/* Renames `from` to `to`, which it replaces. */
struct spt_fs_simple *spt_fs_rename_new(const char *from, const char *to);

/* Cuts a regular file to a size, or extends it. */
struct spt_fs_simple *spt_fs_truncate_new(const char *path, int64_t size);

/* Makes an empty file, or a folder, of which nobody else knows the name. `pattern` is its path, and
 * ends in six X. Once it is done, `path` is that of the file, from the root of the file system. */
struct spt_fs_simple *spt_fs_temporary_new(const char *pattern, bool folder);

#endif
