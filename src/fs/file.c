/* SPDX-License-Identifier: MIT */
/* Opens without waiting, and refuses what is no regular file: the read of a FIFO would block a
 * thread of the pool. */
#include "fs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "septet/septet.h"

enum { READ_AT_ONCE = 1024 * 1024 };

/* Returns 0 if a file may be used, or a negative errno. */
static int check_type(const struct stat *st, bool special)
{
    if (S_ISREG(st->st_mode) || (special && !S_ISDIR(st->st_mode)))
        return 0;
    return S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
}

/* --- reading --- */

static int open_to_read(struct spt_fs_read *r)
{
    struct stat st;
    r->call.verb = "open";
    long fd = SPT_FS_RETRY(open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (fd < 0)
        return (int)fd;
    r->fd = (int)fd;
    if (fstat(r->fd, &st) != 0)
        return -errno;
    int rc = check_type(&st, r->special);
    r->call.verb = rc ? "open" : "read";
    if (rc == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > r->bytes.max - 1)
        rc = -EFBIG;
    if (rc == 0 && st.st_size > 0 &&
        spt_buf_reserve(&r->bytes, (size_t)st.st_size + 1) != SEPTET_OK)
        rc = -ENOMEM;
    return rc;
}

/* Reads for a while. The buffer has room for one byte more than the limit. */
static int read_some(struct spt_fs_read *r)
{
    const uint64_t until = spt_fs_now() + SPT_FS_SLICE_NS;
    do {
        struct spt_buf *b = &r->bytes;
        if (spt_fs_call_is_abandoned(&r->call))
            return -ECANCELED;
        size_t room = b->cap > b->len ? b->cap - b->len : 64 * 1024;
        if (room > b->max - b->len)
            room = b->max - b->len;
        if (spt_buf_reserve(b, room) != SEPTET_OK)
            return -ENOMEM;
        long n =
            SPT_FS_RETRY(read(r->fd, b->data + b->len, room < READ_AT_ONCE ? room : READ_AT_ONCE));
        if (n <= 0)
            return (int)n;
        b->len += (size_t)n;
        if (b->len == b->max)
            return -EFBIG;
    } while (spt_fs_now() < until);
    return SPT_FS_MORE;
}

static int read_step(struct spt_fs_call *call)
{
    struct spt_fs_read *r = SPT_OF(call, struct spt_fs_read, call);
    int rc = r->fd < 0 ? open_to_read(r) : 0;
    if (rc == 0)
        rc = read_some(r);
    if (rc != SPT_FS_MORE && r->fd >= 0) {
        close(r->fd);
        r->fd = -1;
    }
    return rc;
}

static void release_read(struct spt_job *job)
{
    struct spt_fs_read *r = SPT_OF(job, struct spt_fs_read, call.job);
    free(r->call.fault);
    spt_buf_release(&r->bytes);
    free(r->path);
    free(r);
}

static const struct spt_job_type read_type = SPT_FS_JOB_TYPE(release_read);

struct spt_fs_read *spt_fs_read_new(const char *path, size_t max, bool special)
{
    struct spt_fs_read *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->call = (struct spt_fs_call){.job.type = &read_type, .step = read_step, .verb = "open"};
    r->path = strdup(path);
    r->call.path = r->path;
    r->special = special;
    r->fd = -1;
    spt_buf_init(&r->bytes, max < SIZE_MAX ? max + 1 : max);
    if (r->path)
        return r;
    free(r);
    return NULL;
}

/* --- writing --- */

/* Opens a file to append to it. O_APPEND makes each write one that others do not overwrite. */
static int open_to_append(struct spt_fs_write *w)
{
    struct stat st;
    const mode_t mode = w->file.mode >= 0 ? (mode_t)w->file.mode : 0666;
    const int how = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    w->file.step = "open";
    long fd = SPT_FS_RETRY(open(w->file.path, how, mode));
    if (fd < 0)
        return (int)fd;
    w->file.fd = (int)fd;
    return fstat(w->file.fd, &st) == 0 ? check_type(&st, w->special) : -errno;
}

static int append(struct spt_fs_write *w)
{
    struct spt_buf *b = &w->file.buf;
    w->file.step = "write";
    for (size_t at = 0; at < b->len;) {
        long n = SPT_FS_RETRY(write(w->file.fd, b->data + at, b->len - at));
        if (n <= 0)
            return n < 0 ? (int)n : -EIO;
        at += (size_t)n;
    }
    return 0;
}

static int begin(struct spt_fs_write *w)
{
    w->begun = true;
    if (w->kind == SPT_FS_WRITE_APPEND)
        return open_to_append(w);
    int rc = spt_disk_file_open(&w->file);
    if (rc == 0 && w->kind == SPT_FS_WRITE_IN_PLACE && w->file.mode >= 0 &&
        fchmod(w->file.fd, (mode_t)w->file.mode) != 0)
        rc = -errno;
    return rc;
}

static int finish(struct spt_fs_write *w)
{
    if (w->kind == SPT_FS_WRITE_ATOMIC)
        return spt_disk_file_commit(&w->file);
    return w->sync ? spt_disk_file_sync(&w->file) : 0;
}

/* Returns true if the file at `path` is a temporary that is to be removed after a failure. A file
 * that was committed has another name. */
static bool leaves_temporary(const struct spt_fs_write *w)
{
    return w->kind == SPT_FS_WRITE_ATOMIC && w->file.fd >= 0;
}

static int write_step(struct spt_fs_call *call)
{
    struct spt_fs_write *w = SPT_OF(call, struct spt_fs_write, call);
    int rc = spt_fs_call_is_abandoned(call) ? -ECANCELED : 0;
    if (rc == 0 && !w->begun)
        rc = begin(w);
    if (rc == 0)
        rc = w->kind == SPT_FS_WRITE_APPEND ? append(w) : spt_disk_file_write(&w->file);
    if (rc == 0 && spt_fs_call_is_abandoned(call))
        rc = -ECANCELED;
    if (rc == 0 && !w->last)
        return SPT_FS_MORE;
    if (rc == 0)
        rc = finish(w);
    call->verb = w->file.step;
    if (rc && leaves_temporary(w))
        spt_disk_file_unlink(&w->file);
    int closed = spt_disk_file_close(&w->file);
    if (rc == 0 && closed)
        call->verb = w->file.step;
    return rc ? rc : closed;
}

static void release_write(struct spt_job *job)
{
    struct spt_fs_write *w = SPT_OF(job, struct spt_fs_write, call.job);
    free(w->call.fault);
    spt_disk_file_release(&w->file);
    free(w->path);
    free(w);
}

static const struct spt_job_type write_type = SPT_FS_JOB_TYPE(release_write);

struct spt_fs_write *spt_fs_write_new(const char *path, enum spt_fs_write_kind kind, bool sync,
                                      int mode)
{
    struct spt_fs_write *w = calloc(1, sizeof *w);
    const unsigned beside = SPT_DISK_FILE_BESIDE | SPT_DISK_FILE_UNIQUE;
    if (!w)
        return NULL;
    const unsigned flags =
        (kind == SPT_FS_WRITE_ATOMIC ? beside : 0) | (sync ? 0 : SPT_DISK_FILE_UNSYNCED);
    w->path = strdup(path);
    if (!w->path || spt_disk_file_init(&w->file, path, flags) != SEPTET_OK) {
        free(w->path);
        free(w);
        return NULL;
    }
    w->call = (struct spt_fs_call){.job.type = &write_type, .step = write_step, .verb = "open"};
    w->call.path = w->path;
    w->kind = kind;
    w->sync = sync;
    w->file.mode = mode;
    return w;
}
