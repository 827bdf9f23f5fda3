/* SPDX-License-Identifier: MIT */
/* A file that is written in the thread pool: its names, its bytes and its digest. Each function
 * makes blocking system calls, so it is for the thread pool only. The file knows neither the loop
 * nor its waiter. */
#ifndef SPT_LOOP_DISK_FILE_H
#define SPT_LOOP_DISK_FILE_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Maximum number of bytes of one write. */
#define SPT_DISK_FILE_CHUNK ((size_t)256 * 1024)

enum {
    SPT_DISK_FILE_APPEND = 1, /* keep the contents of the file */
    SPT_DISK_FILE_BESIDE = 2, /* `path` is a target: see spt_disk_file_open */
    /* Follow no link, refuse a file that another user may have prepared, and make it readable by
     * its owner only. */
    SPT_DISK_FILE_PRIVATE = 4,
    SPT_DISK_FILE_THERE = 8, /* do not create the file if it does not exist */
    /* With BESIDE: a new file with a name of its own, which no other writer waits for. */
    SPT_DISK_FILE_UNIQUE = 16,
    SPT_DISK_FILE_UNSYNCED = 32 /* a commit does not wait for the disk */
};

#define SPT_DISK_FILE_SUFFIX ".part"
#define SPT_DISK_FILE_PREFIX ".septet-" /* of the names of unique files */

struct spt_disk_file {
    char *path;
    char *target;       /* the name that a commit gives the file; NULL: none yet */
    uint64_t size;      /* size of the file in bytes */
    struct spt_buf buf; /* bytes being written, or those that were read */
    size_t written;     /* number of those that are written */
    EVP_MD_CTX *digest; /* digest of all bytes of the file; NULL: not kept */
    const EVP_MD *md;
    const char *step;      /* the step that the last function had reached: "open", "write" */
    atomic_bool abandoned; /* set by the loop's thread: the function has no waiter */
    int fd;                /* -1: none */
    int mode;              /* permissions that a commit gives the file; -1: those of the target */
    unsigned flags;        /* SPT_DISK_FILE_... */
};

/* Initialises a file, which is not open; `path` is copied. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_disk_file_init(struct spt_disk_file *f, const char *path, unsigned flags);

/* Releases the memory of a file, which is closed. */
void spt_disk_file_release(struct spt_disk_file *f);

/* A job for the thread pool, as each function below is. */
typedef int spt_disk_file_job(struct spt_disk_file *f);

/* Each function below returns 0 or libuv's error number, and sets `step`. */

/* Opens and locks the file. With SPT_DISK_FILE_BESIDE, `path` becomes that of the file beside it,
 * and `target` the name that its links lead to. With SPT_DISK_FILE_UNIQUE as well, that file is
 * new. */
int spt_disk_file_open(struct spt_disk_file *f);

/* Closes the file, if it is open. */
int spt_disk_file_close(struct spt_disk_file *f);

/* Appends the bytes of `buf`. */
int spt_disk_file_write(struct spt_disk_file *f);

/* Reads the beginning of the file, at most a chunk, into `buf`. */
int spt_disk_file_read(struct spt_disk_file *f);

/* Begins the digest, of type `md`, with the contents of the file. Returns UV_ECANCELED once the
 * file is abandoned. */
int spt_disk_file_begin_digest(struct spt_disk_file *f);

/* Truncates the file to zero bytes, and begins its digest anew. */
int spt_disk_file_truncate(struct spt_disk_file *f);

/* Flushes the file to disk. */
int spt_disk_file_sync(struct spt_disk_file *f);

/* Flushes the file to disk, renames it to `target`, and flushes the folder. */
int spt_disk_file_commit(struct spt_disk_file *f);

/* Unlinks the path if it still leads to this file. */
int spt_disk_file_unlink(struct spt_disk_file *f);

#endif
