/* SPDX-License-Identifier: MIT */
/* How one process asks another for its tasks: the septet command as `septet ps`, and the septet
 * command that runs a script. The one that asks sends SIGUSR1 with a value that names a pipe of its
 * own; the other one writes its answer there. */
#ifndef SPT_CLI_QUESTION_H
#define SPT_CLI_QUESTION_H

#include <stdbool.h>
#include <sys/stat.h>

/* The note in the program's file by which it is known to answer, and the version of all this. */
#define QUESTION_NOTE    ".note.septet"
#define QUESTION_OWNER   "septet"
#define QUESTION_VERSION 1

/* An answer begins with one of these bytes and ends with a NUL. */
#define QUESTION_TEXT 'T' /* the tasks follow */
#define QUESTION_NONE 'N' /* the reason why there is none follows */

#define QUESTION_FDS   1024     /* descriptors that the value can name */
#define QUESTION_PIPES 0xfffffu /* the bits of a pipe's inode in the value */

/* What a value says. */
struct question {
    int fd;        /* in the asking process: the end of the pipe to write to */
    int form;      /* one of SEPTET_DUMP_..., at most 3 */
    unsigned pipe; /* the low bits of its inode: no other pipe is taken for it */
};

/* The value of a question is never 0. */
static inline unsigned question_pack(struct question q)
{
    return (q.pipe & QUESTION_PIPES) << 12 | (unsigned)q.form << 10 | (unsigned)q.fd;
}

static inline struct question question_unpack(unsigned value)
{
    return (struct question){
        .fd = (int)(value % QUESTION_FDS), .form = (int)(value >> 10 & 3), .pipe = value >> 12};
}

/* Returns true if the file is the pipe of the question. */
static inline bool question_is_pipe(const struct question *q, const struct stat *file)
{
    return S_ISFIFO(file->st_mode) && ((unsigned)file->st_ino & QUESTION_PIPES) == q->pipe;
}

#endif
