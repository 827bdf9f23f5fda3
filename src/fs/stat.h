/* SPDX-License-Identifier: MIT */
/* What the system knows of a file. Makes blocking system calls, so it is for the thread pool
 * only. */
#ifndef SPT_FS_STAT_H
#define SPT_FS_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct spt_fs_times {
    int64_t read_ns; /* nanoseconds since 1970, as are the others */
    int64_t modified_ns;
    int64_t changed_ns; /* of the file's attributes */
};

struct spt_fs_stat {
    const char *type; /* "file", "directory", "link"... */
    int64_t size;     /* bytes */
    int64_t blocks;   /* those of 512 bytes that it occupies */
    uint64_t inode;
    uint64_t device; /* the one that it lies on */
    uint64_t links;  /* number of its names */
    unsigned mode;   /* permissions and the bits above them, without the type */
    unsigned uid;
    unsigned gid;
    struct spt_fs_times times;
};

/* Returns the word for the type in `mode`. */
const char *spt_fs_stat_type(mode_t mode);

void spt_fs_stat_fill(struct spt_fs_stat *out, const struct stat *st);

/* Examines `name` in the folder `at`, or a path if that is AT_FDCWD. With `links`, a link itself is
 * examined, and not the file that it leads to. Returns 0 or a negative errno. */
int spt_fs_stat_at(struct spt_fs_stat *out, int at, const char *name, bool links);

#endif
