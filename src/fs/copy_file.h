/* SPDX-License-Identifier: MIT */
/* Copies the bytes and the permissions of one regular file, in slices. Makes blocking system calls,
 * so it is for the thread pool only. */
#ifndef SPT_FS_COPY_FILE_H
#define SPT_FS_COPY_FILE_H

#include <stdbool.h>
#include <sys/types.h>

enum spt_copy_way { SPT_COPY_RANGE, SPT_COPY_SENDFILE, SPT_COPY_READ };

struct spt_copy_file {
    int from;        /* -1: none */
    int to;          /* -1: none */
    int at;          /* borrowed; the folder of the copy */
    char *name;      /* owned; the copy's own */
    char *temporary; /* owned; its name until it is whole; NULL: its own */
    mode_t mode;     /* permissions that it gets */
    off_t copied;    /* number of bytes */
    enum spt_copy_way way;
};

void spt_copy_file_init(struct spt_copy_file *copy);

/* Begins to copy the open file `from`, which it owns also after an error, to `name` in the folder
 * `at`. With `overwrite`, the copy replaces what is there once it is whole, unless that is a
 * folder. Returns 0 or a negative errno. */
int spt_copy_file_begin(struct spt_copy_file *copy, int from, int at, const char *name,
                        bool overwrite);

/* Copies for a while. Returns SPT_FS_MORE, 0 once the copy is whole, or a negative errno. */
int spt_copy_file_some(struct spt_copy_file *copy);

/* Returns true if a copy has begun and is not whole. */
static inline bool spt_copy_file_is_open(const struct spt_copy_file *copy)
{
    return copy->from >= 0;
}

/* Closes a file, and removes a copy that is not whole. */
void spt_copy_file_drop(struct spt_copy_file *copy);

#endif
