/* SPDX-License-Identifier: MIT */
/* Reads on in a file that grows, and notices when it is truncated, or when its path leads to
 * another file. */
#ifndef SPT_FS_TAIL_H
#define SPT_FS_TAIL_H

#include <sys/types.h>

#include "fs/call.h"

enum { SPT_TAIL_CHUNK = 64 * 1024 };

enum spt_tail_found {
    SPT_TAIL_BYTES,     /* `bytes` has the next ones */
    SPT_TAIL_END,       /* there are no more for now */
    SPT_TAIL_MISSING,   /* there is no file */
    SPT_TAIL_TRUNCATED, /* the file was cut: it is read from its beginning */
    SPT_TAIL_REPLACED,  /* the path leads to a new file, which is read from now on */
    SPT_TAIL_REMOVED    /* the file was removed, and is closed */
};

struct spt_fs_tail {
    struct spt_job job; /* looks once at the file; it fails if that cannot be read */
    char *path;         /* owned */
    bool from_end;      /* of the first file, if it is there at once, nothing is read */
    bool looked;
    int fd; /* -1: none */
    dev_t dev;
    ino_t ino;
    off_t at; /* number of bytes read */
    enum spt_tail_found found;
    size_t len; /* of `bytes` */
    char bytes[SPT_TAIL_CHUNK];
};

/* Returns NULL if there is no memory. */
struct spt_fs_tail *spt_fs_tail_new(const char *path, bool from_end);

#endif
