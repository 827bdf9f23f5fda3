/* SPDX-License-Identifier: MIT */
/* Makes plain system calls, and repeats those that a signal interrupts.
 *
 * A lock on the file ensures that it has one writer. The last write of a cancelled writer may still
 * be running, and must not reach a file that the next one has truncated. Neither may another
 * process write to it. */
#include "loop/disk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

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

int spt_disk_file_init(struct spt_disk_file *f, const char *path, unsigned flags)
{
    *f = (struct spt_disk_file){.fd = -1, .mode = -1, .flags = flags};
    spt_buf_init(&f->buf, SPT_DISK_FILE_CHUNK);
    f->path = strdup(path);
    return f->path ? SEPTET_OK : SEPTET_ENOMEM;
}

void spt_disk_file_release(struct spt_disk_file *f)
{
    EVP_MD_CTX_free(f->digest);
    spt_buf_release(&f->buf);
    free(f->target);
    free(f->path);
}

/* Closes the file. close() releases the descriptor even if it fails with EINTR. */
int spt_disk_file_close(struct spt_disk_file *f)
{
    int rc = f->fd >= 0 ? close(f->fd) : 0;
    f->fd = -1;
    f->step = "close";
    return rc == 0 || errno == EINTR ? 0 : last_error();
}

static int digest_bytes(struct spt_disk_file *f, const void *bytes, size_t n)
{
    return f->digest && !EVP_DigestUpdate(f->digest, bytes, n) ? UV_ENOMEM : 0;
}

static int digest_anew(struct spt_disk_file *f)
{
    return f->digest && !EVP_DigestInit_ex(f->digest, f->md, NULL) ? UV_ENOMEM : 0;
}

/* Begins the digest with the contents of the file, which may take long. */
int spt_disk_file_begin_digest(struct spt_disk_file *f)
{
    int rc = digest_anew(f);
    char *chunk = malloc(SPT_DISK_FILE_CHUNK);
    if (!chunk)
        return UV_ENOMEM;
    uint64_t at = 0;
    f->step = "read";
    while (rc == 0 && at < f->size) {
        ssize_t n;
        RETRY_EINTR(n, pread(f->fd, chunk, SPT_DISK_FILE_CHUNK, (off_t)at));
        rc = n > 0 ? digest_bytes(f, chunk, (size_t)n) : n < 0 ? last_error() : UV_EIO;
        at += n > 0 ? (uint64_t)n : 0;
        if (f->abandoned)
            rc = UV_ECANCELED;
    }
    free(chunk);
    return rc;
}

int spt_disk_file_truncate(struct spt_disk_file *f)
{
    int rc;
    f->step = "truncate";
    RETRY_EINTR(rc, ftruncate(f->fd, 0));
    if (rc != 0)
        return last_error();
    f->size = 0;
    return digest_anew(f);
}

/* Returns true if the path still refers to this file, and not to another file or to a link to
 * it. */
static bool owns_name(const struct spt_disk_file *f)
{
    struct stat mine, named;
    return fstat(f->fd, &mine) == 0 && lstat(f->path, &named) == 0 && mine.st_dev == named.st_dev &&
           mine.st_ino == named.st_ino;
}

/* Returns true if the path still leads to this file, directly or by links. */
static bool has_its_name(const struct spt_disk_file *f)
{
    struct stat mine, named;
    return fstat(f->fd, &mine) == 0 && stat(f->path, &named) == 0 && mine.st_dev == named.st_dev &&
           mine.st_ino == named.st_ino;
}

static int set_mode(const struct spt_disk_file *f, mode_t mode)
{
    struct stat st;
    if (fstat(f->fd, &st) == 0 && (st.st_mode & 07777) == mode)
        return 0;
    return fchmod(f->fd, mode) == 0 ? 0 : last_error();
}

/* Checks that the opened file may be written, and sets the mode of a private one. Returns 0 or an
 * error. */
static int check_file(const struct spt_disk_file *f)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return last_error();
    if (!S_ISREG(st.st_mode))
        return UV_EINVAL;
    if (!(f->flags & SPT_DISK_FILE_PRIVATE))
        return 0;
    int rc = spt_target_check_own(&st);
    return rc ? rc : set_mode(f, PRIVATE_MODE);
}

/* Locks the file. Returns 1, 0 if the path must be opened again, or an error. */
static int lock_file(struct spt_disk_file *f)
{
    struct stat st;
    int rc;
    RETRY_EINTR(rc, flock(f->fd, LOCK_EX | LOCK_NB));
    if (rc != 0 && errno == EWOULDBLOCK)
        return UV_EBUSY; /* any other error: the file system has no locks */
    if (fstat(f->fd, &st) != 0)
        return last_error();
    f->size = (uint64_t)st.st_size;
    return f->flags & SPT_DISK_FILE_PRIVATE ? owns_name(f) : has_its_name(f);
}

/* Follows the links at the path, which is a target, and replaces the path by that of the file
 * beside it. */
static int move_beside(struct spt_disk_file *f)
{
    int rc = spt_target_resolve(f->path, &f->target);
    if (rc)
        return rc;
    size_t len = strlen(f->target);
    char *beside = malloc(len + sizeof SPT_DISK_FILE_SUFFIX);
    if (!beside)
        return UV_ENOMEM;
    memcpy(beside, f->target, len);
    memcpy(beside + len, SPT_DISK_FILE_SUFFIX, sizeof SPT_DISK_FILE_SUFFIX);
    free(f->path);
    f->path = beside;
    return 0;
}

/* Creates a file with a name of its own in the folder of the target, which is resolved. */
static int open_unique(struct spt_disk_file *f)
{
    static const char pattern[] = SPT_DISK_FILE_PREFIX "XXXXXX";
    const char *slash = strrchr(f->target, '/');
    const size_t folder = slash ? (size_t)(slash - f->target) + 1 : 0;
    char *path = malloc(folder + sizeof pattern);
    if (!path)
        return UV_ENOMEM;
    memcpy(path, f->target, folder);
    memcpy(path + folder, pattern, sizeof pattern);
    f->fd = mkostemp(path, O_CLOEXEC);
    if (f->fd < 0) {
        int error = last_error();
        free(path);
        return error;
    }
    free(f->path);
    f->path = path;
    return 0;
}

/* Opens and locks the file. Without O_NONBLOCK, a FIFO would block a thread of the pool until it
 * has a reader. */
int spt_disk_file_open(struct spt_disk_file *f)
{
    const bool is_private = f->flags & SPT_DISK_FILE_PRIVATE;
    const int how = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | (is_private ? O_NOFOLLOW : 0) |
                    (f->flags & SPT_DISK_FILE_THERE ? 0 : O_CREAT);
    f->step = "open";
    int rc = f->flags & SPT_DISK_FILE_BESIDE ? move_beside(f) : 0;
    if (rc == 0 && f->flags & SPT_DISK_FILE_UNIQUE)
        return open_unique(f);
    while (rc == 0) {
        spt_disk_file_close(f);
        f->step = "open";
        RETRY_EINTR(f->fd, open(f->path, how, is_private ? PRIVATE_MODE : 0666));
        rc = f->fd < 0 ? last_error() : check_file(f);
        if (rc == 0)
            rc = lock_file(f);
    }
    if (rc > 0)
        rc = f->flags & SPT_DISK_FILE_APPEND ? 0 : spt_disk_file_truncate(f);
    return rc;
}

int spt_disk_file_read(struct spt_disk_file *f)
{
    f->step = "read";
    f->buf.len = 0;
    if (spt_buf_reserve(&f->buf, SPT_DISK_FILE_CHUNK) != SEPTET_OK)
        return UV_ENOMEM;
    ssize_t n = 1;
    while (n > 0 && f->buf.len < SPT_DISK_FILE_CHUNK) {
        RETRY_EINTR(n, pread(f->fd, f->buf.data + f->buf.len, SPT_DISK_FILE_CHUNK - f->buf.len,
                             (off_t)f->buf.len));
        f->buf.len += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? last_error() : 0;
}

int spt_disk_file_write(struct spt_disk_file *f)
{
    ssize_t n = 1;
    f->step = "write";
    for (f->written = 0; f->written < f->buf.len; f->written += (size_t)n) {
        RETRY_EINTR(n, pwrite(f->fd, f->buf.data + f->written, f->buf.len - f->written,
                              (off_t)(f->size + f->written)));
        if (n <= 0)
            break;
    }
    int rc = n < 0 ? last_error() : n == 0 ? UV_EIO : 0;
    f->size += f->written;
    int digested = digest_bytes(f, f->buf.data, f->written);
    return rc ? rc : digested;
}

int spt_disk_file_sync(struct spt_disk_file *f)
{
    int rc;
    f->step = "sync";
    RETRY_EINTR(rc, fsync(f->fd));
    return rc == 0 ? 0 : last_error();
}

/* Flushes the folder of `path` to disk, and with it the file's name. Ignores file systems that
 * cannot do that for a folder, and folders that can be written but not read. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = strdup(slash ? path : ".");
    if (!folder)
        return UV_ENOMEM;
    if (slash)
        folder[slash - path + 1] = '\0';
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

int spt_disk_file_commit(struct spt_disk_file *f)
{
    f->step = "rename";
    int rc = spt_target_judge(f->target);
    const bool synced = !(f->flags & SPT_DISK_FILE_UNSYNCED);
    mode_t mode = f->mode >= 0 ? (mode_t)f->mode : spt_target_mode(f->target);
    if (rc == 0 && !owns_name(f))
        rc = UV_ENOENT;
    if (rc == 0)
        rc = set_mode(f, mode);
    if (rc == 0 && synced)
        rc = spt_disk_file_sync(f);
    if (rc)
        return rc;
    f->step = "rename";
    if (!owns_name(f)) /* it may have changed during the sync */
        return UV_ENOENT;
    if (rename(f->path, f->target) != 0)
        return last_error();
    f->step = "sync the folder of";
    return synced ? sync_folder(f->target) : 0;
}

int spt_disk_file_unlink(struct spt_disk_file *f)
{
    f->step = "remove";
    return !has_its_name(f) || unlink(f->path) == 0 ? 0 : last_error();
}
