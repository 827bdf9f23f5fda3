/* A file that is being written, in the thread pool: the loop never waits for a disk. One job at a
 * time. Whoever waits for a job may be let go of at once; the job goes on, in the output's own
 * memory. It knows neither what the bytes are nor tasks: who waits is a function. */
#ifndef SPT_LOOP_OUTPUT_H
#define SPT_LOOP_OUTPUT_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"

struct spt_loop;

/* May start the next job, but not free the output. */
typedef void spt_output_fn(void *ud);

struct spt_output {
    int error;               /* libuv's number of what went wrong first; 0: nothing. It stays */
    const char *failed_step; /* what failed by it: "open", "write" */
    int result; /* of the last job alone, as the next; valid while there is none under way */
    const char *current_step; /* what it was at */
    uint64_t size;            /* bytes of the file; the same holds */

    struct spt_loop *loop;  /* private, as all that follows */
    spt_output_fn *on_done; /* NULL: nobody waits */
    void *ud;
    char *path;
    char *target;       /* the name that a commit gives it; NULL: none yet */
    struct spt_buf buf; /* bytes on their way; after a read, what was read */
    size_t written;     /* of those */
    EVP_MD_CTX *digest; /* of all bytes of the file; NULL: nobody asks */
    const EVP_MD *md;
    int fd;                /* -1: none */
    unsigned flags;        /* SPT_OUTPUT_... */
    bool in_pool;          /* the pool has all of it but on_done, ud and freed */
    bool freed;            /* ... which is all that keeps it */
    atomic_bool abandoned; /* nobody waits for the job */
    int (*job)(struct spt_output *out);
    uv_work_t work;
};

/* How many bytes one write takes at most. */
#define SPT_OUTPUT_CHUNK ((size_t)256 * 1024)

enum {
    SPT_OUTPUT_APPEND = 1, /* what the file holds is kept */
    SPT_OUTPUT_BESIDE = 2, /* `path` is a target: see spt_output_open */
    SPT_OUTPUT_PRIVATE =
        4, /* no link is followed, nobody else can have prepared the file, nobody else may read it */
    SPT_OUTPUT_THERE = 8 /* the file is not made if there is none */
};

#define SPT_OUTPUT_SUFFIX ".part"

/* Opens a file for its one writer, and then calls fn(ud): it is open, or `error` says why not:
 * UV_EBUSY if it has another writer. With SPT_OUTPUT_BESIDE, `path` is the target of a later
 * commit: links at it are followed, anything that is no regular file is an error, and the file is
 * the one beside it with the suffix. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_output_open(struct spt_output **out, struct spt_loop *loop, const char *path,
                    unsigned flags, spt_output_fn *fn, void *ud);

/* Closes it. A job that is under way is not waited for; one that has not begun may never begin. */
void spt_output_free(struct spt_output *out);

/* Each starts a job that calls fn(ud) once it is done. They return false where `error` says that
 * none began: what has failed once is not tried again, as the system may hold for written what is
 * lost. There must be no job under way. */

/* Writes a copy of n bytes, at most a chunk, behind the others. */
bool spt_output_write(struct spt_output *out, const char *bytes, size_t n, spt_output_fn *fn,
                      void *ud);

/* Keeps a digest of it from here on, and takes that of what it holds; ends with UV_ECANCELED where
 * nobody waits any more. */
bool spt_output_keep_digest(struct spt_output *out, const EVP_MD *md, spt_output_fn *fn, void *ud);

/* Empties it. */
bool spt_output_truncate(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Has the disk hold it. */
bool spt_output_sync(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Flushes the file to the disk, and renames it to `target`, or to the target that it was opened
 * beside if that is NULL: whatever happens, that name stands for the old file or for the whole new
 * one, which has the old one's permissions. It is an error if the name that is given up does not
 * stand for the file that was written, or if the target's name stands for a folder, a device or a
 * pipe. */
bool spt_output_commit(struct spt_output *out, const char *target, spt_output_fn *fn, void *ud);

/* Reads the beginning of the file, at most a chunk, into `buf`. */
bool spt_output_read(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Takes its name away, where it still has it; or closes it, so that only freeing is left to do.
 * These begin also after an error. */
void spt_output_unlink(struct spt_output *out, spt_output_fn *fn, void *ud);
void spt_output_close(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Is there a job under way? */
static inline bool spt_output_is_busy(const struct spt_output *out)
{
    return out->in_pool;
}

/* Calls fn(ud) when the job under way, which nobody waits for, has ended. */
void spt_output_wait(struct spt_output *out, spt_output_fn *fn, void *ud);

/* Has nobody called. The job under way goes on. */
void spt_output_forget(struct spt_output *out);

/* The digest, where one is kept. Returns its bytes, or 0 out of memory. There must be no job under
 * way. */
size_t spt_output_digest(const struct spt_output *out, unsigned char md[EVP_MAX_MD_SIZE]);

#endif
