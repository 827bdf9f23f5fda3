/* SPDX-License-Identifier: MIT */
/* Reads and writes whole files. A file that is written atomically is the old one or the whole new
 * one at any time. */
#ifndef SPT_FS_FILE_H
#define SPT_FS_FILE_H

#include "base/buf.h"
#include "fs/call.h"
#include "loop/disk_file.h"

struct spt_fs_read {
    struct spt_fs_call call;
    char *path;
    bool special; /* the file may be a device or a FIFO */
    int fd;
    struct spt_buf bytes; /* what was read; its `max` is the limit */
};

/* Returns a call that reads a file, or NULL if there is no memory. It fails with -EFBIG if the file
 * has more than `max` bytes, with -EINVAL if it is not regular, and never waits for a writer. */
struct spt_fs_read *spt_fs_read_new(const char *path, size_t max, bool special);

enum spt_fs_write_kind {
    SPT_FS_WRITE_ATOMIC,   /* a new file in the place of the old one */
    SPT_FS_WRITE_IN_PLACE, /* the old file, emptied */
    SPT_FS_WRITE_APPEND
};

struct spt_fs_write {
    struct spt_fs_call call;
    char *path;                /* the caller's; that of `file` may be a temporary's */
    struct spt_disk_file file; /* `buf` has the next bytes */
    enum spt_fs_write_kind kind;
    bool sync;
    bool special; /* when appending: the file may be a device or a FIFO */
    bool begun;
    bool last; /* nothing comes after the bytes in the buffer */
};

/* Returns a call that writes a file, or NULL if there is no memory. Before each step, the caller
 * puts bytes into the buffer, at most SPT_DISK_FILE_CHUNK, and sets `last` if they are the last. A
 * new file gets the permissions `mode`; if that is -1, those of the old file or the usual ones. */
struct spt_fs_write *spt_fs_write_new(const char *path, enum spt_fs_write_kind kind, bool sync,
                                      int mode);

#endif
