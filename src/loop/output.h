/* SPDX-License-Identifier: MIT */
/* Writes a file in the thread pool, so that the loop never waits for a disk. One job runs at a
 * time. Its waiter may leave at any time; the job continues in memory of the output. The output
 * knows neither the meaning of the bytes nor tasks: its waiter is a callback. */
#ifndef SPT_LOOP_OUTPUT_H
#define SPT_LOOP_OUTPUT_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "loop/disk_file.h"

struct spt_loop;

/* Called when a job has completed. May start the next one, but must not free the output. */
typedef void spt_output_fn(void *ud);

struct spt_output {
    int error;                 /* libuv's number of the first error, never reset; 0: none */
    int result;                /* error of the last job; valid while no job is running */
    const char *failed_step;   /* the step that failed: "open", "write" */
    struct spt_disk_file file; /* used by the running job, if any; else readable */

    struct spt_loop *loop;  /* private, like all members below */
    spt_output_fn *on_done; /* NULL: no waiter */
    void *ud;
    spt_disk_file_job *job; /* the job that is running, or the last one */
    uv_work_t work;
    bool in_pool; /* a job uses `file` and `result` */
    bool freed;   /* spt_output_free was called; the memory is kept for the job */
};

/* Opens a file for a single writer. Calls fn(ud) once it is open or `error` is set, to UV_EBUSY if
 * it has another writer. With SPT_DISK_FILE_BESIDE, `path` is the target of a later commit. Links
 * at it are followed, and anything but a regular file is an error. The file opened is the one
 * beside it with the suffix. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_output_open(struct spt_output **out, struct spt_loop *loop, const char *path,
                    unsigned flags, spt_output_fn *fn, void *ud);

/* Closes the output. Does not wait for a running job; one that has not begun may never begin. */
void spt_output_free(struct spt_output *out);

/* Each function below starts a job that calls fn(ud) once it is done; no other job may be running.
 * Returns false if `error` is set, and starts nothing. A failed job is not tried again, because the
 * system may take lost bytes for written ones. */

/* Appends a copy of n bytes, at most a chunk, to the file. */
bool spt_output_write(struct spt_output *out, const char *bytes, size_t n, spt_output_fn *fn,
                      void *ud);

/* Appends the bytes of a buffer without a copy: its memory goes to the output, and it gets that of
 * the job before, empty. */
bool spt_output_write_buffer(struct spt_output *out, struct spt_buf *bytes, spt_output_fn *fn,
                             void *ud);

/* Computes the digest of the file's contents, and keeps it up to date from then on. Ends with
 * UV_ECANCELED if the waiter leaves. */
bool spt_output_keep_digest(struct spt_output *out, const EVP_MD *md, spt_output_fn *fn, void *ud);

/* Truncates the file to zero bytes. */
bool spt_output_truncate(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Flushes the file to disk (fsync). */
bool spt_output_sync(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Flushes the file to disk, then renames it atomically to `target`. If that is NULL, renames it to
 * the target that it was opened beside. At any time, the target is either the old file or the whole
 * new one, which has the old one's permissions. Fails if the path no longer refers to the file that
 * was written. Fails also if the target is a folder, a device or a pipe. */
bool spt_output_commit(struct spt_output *out, const char *target, spt_output_fn *fn, void *ud);

/* Reads the beginning of the file, at most a chunk, into `buf`. */
bool spt_output_read(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Unlinks the path if it still refers to this file, or closes the file, so that only freeing is
 * left to do. Both also start after an error. */
void spt_output_unlink(struct spt_output *out, spt_output_fn *fn, void *ud);
void spt_output_close(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Returns true if a job is running. */
static inline bool spt_output_is_busy(const struct spt_output *out)
{
    return out->in_pool;
}

/* Calls fn(ud) when the running job, which has no waiter, has ended. */
void spt_output_wait(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Clears the callback. A running job continues. */
void spt_output_forget(struct spt_output *out);

/* Writes the digest, which must be kept, to `md`. Returns its length in bytes, or 0 if out of
 * memory. No job may be running. */
size_t spt_output_digest(const struct spt_output *out, unsigned char md[EVP_MAX_MD_SIZE]);

#endif
