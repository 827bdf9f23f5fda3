/* Runs each job in the thread pool, as a function that makes plain system calls. The loop reads
 * what a job has changed only after its end.
 *
 * A lock on the file ensures that it has one writer. The last write of a cancelled writer may still
 * be running, and must not reach a file that the next one has truncated. Neither may another
 * process write to it. */
#include "loop/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "loop/loop.h"
#include "loop/target.h"
#include "septet/septet.h"

enum { PRIVATE_MODE = 0600 };

/* Assigns the result of `call` to `n`, and repeats the call if a signal interrupted it (EINTR). */
#define RETRY_EINTR(n, call)                                                                       \
    do {                                                                                           \
        (n) = (call);                                                                              \
    } while ((n) < 0 && errno == EINTR)

static int last_error(void)
{
    return uv_translate_sys_error(errno);
}

/* --- life --- */

static struct spt_output *new_output(struct spt_loop *loop, const char *path)
{
    struct spt_output *out = calloc(1, sizeof *out);
    if (!out)
        return NULL;
    out->loop = loop;
    out->fd = -1;
    spt_buf_init(&out->buf, SPT_OUTPUT_CHUNK);
    out->path = strdup(path);
    if (out->path)
        return out;
    free(out);
    return NULL;
}

static void release(struct spt_output *out)
{
    EVP_MD_CTX_free(out->digest);
    spt_buf_release(&out->buf);
    free(out->target);
    free(out->path);
    free(out);
}

/* --- jobs: each returns 0 or an error --- */

/* Closes the file. close() releases the descriptor even if it fails with EINTR. */
static int close_file(struct spt_output *out)
{
    int rc = out->fd >= 0 ? close(out->fd) : 0;
    out->fd = -1;
    out->current_step = "close";
    return rc == 0 || errno == EINTR ? 0 : last_error();
}

static int digest_bytes(struct spt_output *out, const void *bytes, size_t n)
{
    return out->digest && !EVP_DigestUpdate(out->digest, bytes, n) ? UV_ENOMEM : 0;
}

static int digest_anew(struct spt_output *out)
{
    return out->digest && !EVP_DigestInit_ex(out->digest, out->md, NULL) ? UV_ENOMEM : 0;
}

/* Begins the digest with the contents of the file, which may take long. */
static int digest_file(struct spt_output *out)
{
    int rc = digest_anew(out);
    char *chunk = malloc(SPT_OUTPUT_CHUNK);
    if (!chunk)
        return UV_ENOMEM;
    uint64_t at = 0;
    out->current_step = "read";
    while (rc == 0 && at < out->size) {
        ssize_t n;
        RETRY_EINTR(n, pread(out->fd, chunk, SPT_OUTPUT_CHUNK, (off_t)at));
        rc = n > 0 ? digest_bytes(out, chunk, (size_t)n) : n < 0 ? last_error() : UV_EIO;
        at += n > 0 ? (uint64_t)n : 0;
        if (out->abandoned)
            rc = UV_ECANCELED;
    }
    free(chunk);
    return rc;
}

static int empty_file(struct spt_output *out)
{
    int rc;
    out->current_step = "truncate";
    RETRY_EINTR(rc, ftruncate(out->fd, 0));
    if (rc != 0)
        return last_error();
    out->size = 0;
    return digest_anew(out);
}

/* Returns true if the path still refers to this file, and not to another file or to a link to
 * it. */
static bool owns_name(const struct spt_output *out)
{
    struct stat mine, named;
    return fstat(out->fd, &mine) == 0 && lstat(out->path, &named) == 0 &&
           mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

/* Returns true if the path still leads to this file, directly or by links. */
static bool has_its_name(const struct spt_output *out)
{
    struct stat mine, named;
    return fstat(out->fd, &mine) == 0 && stat(out->path, &named) == 0 &&
           mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

static int set_mode(const struct spt_output *out, mode_t mode)
{
    struct stat st;
    if (fstat(out->fd, &st) == 0 && (st.st_mode & 0777) == mode)
        return 0;
    return fchmod(out->fd, mode) == 0 ? 0 : last_error();
}

/* Checks that the opened file may be written, and sets the mode of a private one. Returns 0 or an
 * error. */
static int check_file(const struct spt_output *out)
{
    struct stat st;
    if (fstat(out->fd, &st) != 0)
        return last_error();
    if (!S_ISREG(st.st_mode))
        return UV_EINVAL;
    if (!(out->flags & SPT_OUTPUT_PRIVATE))
        return 0;
    int rc = spt_target_is_own(&st);
    return rc ? rc : set_mode(out, PRIVATE_MODE);
}

/* Locks the file. Returns 1, 0 if the path must be opened again, or an error. */
static int lock_file(struct spt_output *out)
{
    struct stat st;
    int rc;
    RETRY_EINTR(rc, flock(out->fd, LOCK_EX | LOCK_NB));
    if (rc != 0 && errno == EWOULDBLOCK)
        return UV_EBUSY; /* any other error: the file system has no locks */
    if (fstat(out->fd, &st) != 0)
        return last_error();
    out->size = (uint64_t)st.st_size;
    return out->flags & SPT_OUTPUT_PRIVATE ? owns_name(out) : has_its_name(out);
}

/* Follows the links at the path, which is a target, and replaces the path by that of the file
 * beside it. */
static int move_beside(struct spt_output *out)
{
    int rc = spt_target_resolve(out->path, &out->target);
    if (rc)
        return rc;
    size_t len = strlen(out->target);
    char *beside = malloc(len + sizeof SPT_OUTPUT_SUFFIX);
    if (!beside)
        return UV_ENOMEM;
    memcpy(beside, out->target, len);
    memcpy(beside + len, SPT_OUTPUT_SUFFIX, sizeof SPT_OUTPUT_SUFFIX);
    free(out->path);
    out->path = beside;
    return 0;
}

/* Opens and locks the file. Without O_NONBLOCK, a FIFO would block a thread of the pool until it
 * has a reader. */
static int open_file(struct spt_output *out)
{
    const bool is_private = out->flags & SPT_OUTPUT_PRIVATE;
    const int how = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | (is_private ? O_NOFOLLOW : 0) |
                    (out->flags & SPT_OUTPUT_THERE ? 0 : O_CREAT);
    out->current_step = "open";
    int rc = out->flags & SPT_OUTPUT_BESIDE ? move_beside(out) : 0;
    while (rc == 0) {
        close_file(out);
        out->current_step = "open";
        RETRY_EINTR(out->fd, open(out->path, how, is_private ? PRIVATE_MODE : 0666));
        rc = out->fd < 0 ? last_error() : check_file(out);
        if (rc == 0)
            rc = lock_file(out);
    }
    if (rc > 0)
        rc = out->flags & SPT_OUTPUT_APPEND ? 0 : empty_file(out);
    return rc;
}

static int read_file(struct spt_output *out)
{
    out->current_step = "read";
    out->buf.len = 0;
    if (spt_buf_reserve(&out->buf, SPT_OUTPUT_CHUNK) != SEPTET_OK)
        return UV_ENOMEM;
    ssize_t n = 1;
    while (n > 0 && out->buf.len < SPT_OUTPUT_CHUNK) {
        RETRY_EINTR(n, pread(out->fd, out->buf.data + out->buf.len, SPT_OUTPUT_CHUNK - out->buf.len,
                             (off_t)out->buf.len));
        out->buf.len += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? last_error() : 0;
}

static int write_bytes(struct spt_output *out)
{
    ssize_t n = 1;
    out->current_step = "write";
    for (out->written = 0; out->written < out->buf.len; out->written += (size_t)n) {
        RETRY_EINTR(n, pwrite(out->fd, out->buf.data + out->written, out->buf.len - out->written,
                              (off_t)(out->size + out->written)));
        if (n <= 0)
            break;
    }
    int rc = n < 0 ? last_error() : n == 0 ? UV_EIO : 0;
    out->size += out->written;
    int digested = digest_bytes(out, out->buf.data, out->written);
    return rc ? rc : digested;
}

static int sync_file(struct spt_output *out)
{
    int rc;
    out->current_step = "sync";
    RETRY_EINTR(rc, fsync(out->fd));
    return rc == 0 ? 0 : last_error();
}

/* Flushes the folder of `path` to disk, and with it the file's name. Ignores file systems that
 * cannot do that for a folder, and folders that can be written but not read. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        return UV_ENOMEM;
    int fd, rc;
    RETRY_EINTR(fd, open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    free(folder);
    if (fd < 0)
        return errno == EACCES ? 0 : last_error();
    RETRY_EINTR(rc, fsync(fd));
    int error = rc == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : last_error();
    close(fd);
    return error;
}

static int commit_file(struct spt_output *out)
{
    out->current_step = "rename";
    int rc = spt_target_judge(out->target);
    mode_t mode = spt_target_mode(out->target);
    if (rc == 0 && !owns_name(out))
        rc = UV_ENOENT;
    if (rc == 0)
        rc = set_mode(out, mode);
    if (rc == 0)
        rc = sync_file(out);
    if (rc)
        return rc;
    out->current_step = "rename";
    if (!owns_name(out)) /* it may have changed during the sync */
        return UV_ENOENT;
    if (rename(out->path, out->target) != 0)
        return last_error();
    out->current_step = "sync the folder of";
    return sync_folder(out->target);
}

static int unlink_file(struct spt_output *out)
{
    out->current_step = "remove";
    return !has_its_name(out) || unlink(out->path) == 0 ? 0 : last_error();
}

/* --- in the pool and out of it --- */

static void on_work(uv_work_t *work)
{
    struct spt_output *out = SPT_OF(work, struct spt_output, work);
    out->result = out->job(out);
}

static void on_worked(uv_work_t *work, int status);

static void start(struct spt_output *out, int (*job)(struct spt_output *))
{
    assert(!out->in_pool);
    out->job = job;
    out->result = 0;
    out->in_pool = true;
    spt_loop_job_begin(out->loop);
    uv_queue_work(spt_loop_uv(out->loop), &out->work, on_work, on_worked);
}

/* Records an error, unless there was an earlier one. */
static void note(struct spt_output *out, int error)
{
    if (out->error || !error)
        return;
    out->error = error;
    out->failed_step = out->current_step;
}

static void tell(struct spt_output *out)
{
    spt_output_fn *fn = out->on_done;
    out->on_done = NULL;
    if (fn)
        fn(out->ud);
}

/* Completes a job. The descriptor of a freed output is also closed in the pool, because closing may
 * take long. */
static void on_worked(uv_work_t *work, int status)
{
    struct spt_output *out = SPT_OF(work, struct spt_output, work);
    struct spt_loop *loop = out->loop;
    out->in_pool = false;
    if (out->freed && out->fd >= 0)
        start(out, close_file);
    else if (out->freed)
        release(out);
    else {
        note(out, status ? status : out->result);
        tell(out);
    }
    spt_loop_job_end(loop);
}

void spt_output_free(struct spt_output *out)
{
    out->freed = true;
    out->abandoned = true;
    out->on_done = NULL;
    if (out->in_pool)
        uv_cancel((uv_req_t *)&out->work); /* succeeds only if it has not begun */
    else if (out->fd >= 0)
        start(out, close_file);
    else
        release(out);
}

static void ask(struct spt_output *out, int (*job)(struct spt_output *), spt_output_fn *fn,
                void *ud)
{
    out->abandoned = false;
    start(out, job);
    out->on_done = fn;
    out->ud = ud;
}

int spt_output_open(struct spt_output **out, struct spt_loop *loop, const char *path,
                    unsigned flags, spt_output_fn *fn, void *ud)
{
    struct spt_output *o = new_output(loop, path);
    if (!o)
        return SEPTET_ENOMEM;
    o->flags = flags;
    ask(o, open_file, fn, ud);
    *out = o;
    return SEPTET_OK;
}

static bool ask_unless_failed(struct spt_output *out, int (*job)(struct spt_output *),
                              spt_output_fn *fn, void *ud)
{
    if (out->error)
        return false;
    ask(out, job, fn, ud);
    return true;
}

static void fail(struct spt_output *out, const char *doing)
{
    out->current_step = doing;
    note(out, UV_ENOMEM);
}

bool spt_output_write(struct spt_output *out, const char *bytes, size_t n, spt_output_fn *fn,
                      void *ud)
{
    assert(!out->in_pool);
    out->buf.len = 0;
    if (spt_buf_append(&out->buf, bytes, n) != SEPTET_OK)
        fail(out, "write");
    return ask_unless_failed(out, write_bytes, fn, ud);
}

bool spt_output_keep_digest(struct spt_output *out, const EVP_MD *md, spt_output_fn *fn, void *ud)
{
    assert(!out->in_pool);
    out->md = md;
    if (!out->digest)
        out->digest = EVP_MD_CTX_new();
    if (!out->digest)
        fail(out, "read");
    return ask_unless_failed(out, digest_file, fn, ud);
}

bool spt_output_truncate(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    return ask_unless_failed(out, empty_file, fn, ud);
}

bool spt_output_sync(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    return ask_unless_failed(out, sync_file, fn, ud);
}

bool spt_output_commit(struct spt_output *out, const char *target, spt_output_fn *fn, void *ud)
{
    assert(!out->in_pool && (target || out->target));
    if (target) {
        free(out->target);
        out->target = strdup(target);
    }
    if (!out->target)
        fail(out, "rename");
    return ask_unless_failed(out, commit_file, fn, ud);
}

bool spt_output_read(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    return ask_unless_failed(out, read_file, fn, ud);
}

void spt_output_unlink(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    ask(out, unlink_file, fn, ud);
}

void spt_output_close(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    ask(out, close_file, fn, ud);
}

void spt_output_wait(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    out->on_done = fn;
    out->ud = ud;
}

void spt_output_forget(struct spt_output *out)
{
    out->on_done = NULL;
    out->abandoned = true;
}

size_t spt_output_digest(const struct spt_output *out, unsigned char md[EVP_MAX_MD_SIZE])
{
    unsigned len = 0;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    assert(!out->in_pool && out->digest);
    if (copy && EVP_MD_CTX_copy_ex(copy, out->digest))
        EVP_DigestFinal_ex(copy, md, &len);
    EVP_MD_CTX_free(copy);
    return len;
}
