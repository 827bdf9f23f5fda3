/* SPDX-License-Identifier: MIT */
/* The names in a folder, read in pieces: so many at a time, or all of them if they are to be
 * sorted. Makes blocking system calls, so it is for the thread pool only. */
#ifndef SPT_FS_NAMES_H
#define SPT_FS_NAMES_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct spt_names {
    DIR *rest;            /* where the next names are read; NULL: all are in `bytes` */
    struct spt_buf bytes; /* for each name: a DT_... constant, the name, a NUL */
    size_t at;            /* number of bytes that were handed out */
};

void spt_names_init(struct spt_names *names);

/* Begins to read the open folder `fd`, and all of it if `sorted`: by their bytes. Returns 0 or a
 * negative errno. */
int spt_names_begin(struct spt_names *names, int fd, bool sorted);

/* Returns 1 and the next name with its type, valid until the next call, 0 at the end, or a negative
 * errno. The type is a DT_... constant. */
int spt_names_next(struct spt_names *names, const char **name, unsigned char *type);

/* Reads the rest, so that no descriptor is open, unless that is very much. */
int spt_names_settle(struct spt_names *names);

void spt_names_release(struct spt_names *names);

#endif
