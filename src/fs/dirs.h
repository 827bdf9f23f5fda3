/* SPDX-License-Identifier: MIT */
/* A stack of open folders, each one inside the one before it. Only so many descriptors are open, at
 * any depth: those of the shallower folders are closed, and opened again from below. A folder that
 * is opened again is the same one, whatever was renamed meanwhile. It knows no contents. Each
 * function makes blocking system calls, so it is for the thread pool only. */
#ifndef SPT_FS_DIRS_H
#define SPT_FS_DIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct spt_dirs_level {
    int fd;       /* -1: closed for now */
    bool by_link; /* entered by a link, so that its ".." is another folder */
    dev_t dev;
    ino_t ino;
    size_t path_len; /* length of its path, a beginning of `path` */
};

struct spt_dirs {
    struct spt_dirs_level *levels; /* owned; the first is the root, which stays open */
    size_t depth;                  /* number of them; 0: it is closed */
    size_t cap;
    size_t open_from;    /* those from 1 to before this one are closed */
    struct spt_buf path; /* path of the top, with a NUL behind it */
};

/* Begins an empty stack, which spt_dirs_release() releases. */
void spt_dirs_init(struct spt_dirs *dirs);

/* Enters the root, which is `fd`, and owns it also after an error. Returns 0 or a negative errno,
 * as do the functions below. */
int spt_dirs_begin(struct spt_dirs *dirs, int fd, const char *path);

/* Enters the folder `name` of the top. Fails with -ELOOP or -ENOTDIR if that is a link, unless
 * `by_link` is set. */
int spt_dirs_enter(struct spt_dirs *dirs, const char *name, bool by_link);

/* Leaves the top, which is not the root, for the one above it. If that cannot be opened again,
 * returns an error, and the top has no descriptor. The name that was left, with a NUL, remains
 * behind the path of the new top. */
int spt_dirs_leave(struct spt_dirs *dirs);

/* Returns true if `error` says that descriptors are short, and one of a shallower folder could be
 * closed, so that another attempt may succeed. */
bool spt_dirs_spare(struct spt_dirs *dirs, int error);

/* Closes all folders. */
void spt_dirs_release(struct spt_dirs *dirs);

static inline struct spt_dirs_level *spt_dirs_top(const struct spt_dirs *dirs)
{
    return &dirs->levels[dirs->depth - 1];
}

/* Returns true if the top is the folder of a level below it. */
bool spt_dirs_is_loop(const struct spt_dirs *dirs);

/* Opens a folder for its contents, and waits for nothing. Returns the descriptor or a negative
 * errno. */
int spt_dirs_open(int at, const char *name, bool by_link);

#endif
