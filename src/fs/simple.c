/* SPDX-License-Identifier: MIT */
/* Makes one or a few system calls by path. */
#include "fs/simple.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"

static void release(struct spt_job *job)
{
    struct spt_fs_simple *s = SPT_OF(job, struct spt_fs_simple, call.job);
    free(s->call.fault);
    free(s->other);
    free(s->path);
    free(s);
}

static const struct spt_job_type job_type = SPT_FS_JOB_TYPE(release);

static struct spt_fs_simple *new_simple(const char *path, const char *verb,
                                        int (*step)(struct spt_fs_call *))
{
    struct spt_fs_simple *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->call = (struct spt_fs_call){.job.type = &job_type, .step = step, .verb = verb};
    s->path = strdup(path);
    s->call.path = s->path;
    s->mode = -1;
    if (s->path)
        return s;
    free(s);
    return NULL;
}

/* --- examining --- */

static int stat_step(struct spt_fs_call *call)
{
    struct spt_fs_simple *s = SPT_OF(call, struct spt_fs_simple, call);
    return spt_fs_stat_at(&s->stat, AT_FDCWD, s->path, s->flag);
}

struct spt_fs_simple *spt_fs_stat_new(const char *path, bool links)
{
    struct spt_fs_simple *s = new_simple(path, "examine", stat_step);
    if (s)
        s->flag = links;
    return s;
}

/* --- folders --- */

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Sets the permissions of a folder, and not of what a link that took its place leads to. */
static int set_mode(const char *path, mode_t mode)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fchmod(fd, mode) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

/* Makes one folder. With `parents`, one that exists is no error. */
static int make(const struct spt_fs_simple *s, const char *path, int mode)
{
    if (mkdir(path, mode >= 0 ? 0700 : 0777) != 0) {
        int error = errno;
        return s->flag && (error == EEXIST || error == EROFS) && is_folder(path) ? 0 : -error;
    }
    return mode >= 0 ? set_mode(path, (mode_t)mode) : 0; /* also what umask masks */
}

/* Makes the folders above the path, from the root on. */
static int make_parents(const struct spt_fs_simple *s)
{
    char *path = strdup(s->path);
    int rc = path ? 0 : -ENOMEM;
    for (char *at = path; rc == 0 && (at = strchr(at + 1, '/'));) {
        if (at[-1] == '/' || at[strspn(at, "/")] == '\0')
            continue;
        *at = '\0';
        rc = make(s, path, -1);
        *at = '/';
    }
    free(path);
    return rc;
}

static int mkdir_step(struct spt_fs_call *call)
{
    struct spt_fs_simple *s = SPT_OF(call, struct spt_fs_simple, call);
    int rc = make(s, s->path, s->mode);
    if (rc != -ENOENT || !s->flag || !s->path[0])
        return rc;
    rc = make_parents(s);
    return rc ? rc : make(s, s->path, s->mode);
}

struct spt_fs_simple *spt_fs_mkdir_new(const char *path, bool parents, int mode)
{
    struct spt_fs_simple *s = new_simple(path, "make the directory", mkdir_step);
    if (s) {
        s->flag = parents;
        s->mode = mode;
    }
    return s;
}

/* --- names and sizes --- */

static int rename_step(struct spt_fs_call *call)
{
    struct spt_fs_simple *s = SPT_OF(call, struct spt_fs_simple, call);
    return rename(s->path, s->other) == 0 ? 0 : -errno;
}

struct spt_fs_simple *spt_fs_rename_new(const char *from, const char *to)
{
    struct spt_fs_simple *s = new_simple(from, "rename", rename_step);
    if (!s)
        return NULL;
    s->other = strdup(to);
    if (s->other)
        return s;
    release(&s->call.job);
    return NULL;
}

static int truncate_step(struct spt_fs_call *call)
{
    struct spt_fs_simple *s = SPT_OF(call, struct spt_fs_simple, call);
    struct stat st;
    long fd = SPT_FS_RETRY(open(s->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (fd < 0)
        return (int)fd;
    int rc = fstat((int)fd, &st) == 0 ? (S_ISREG(st.st_mode) ? 0 : -EINVAL) : -errno;
    if (rc == 0)
        rc = (int)SPT_FS_RETRY(ftruncate((int)fd, s->size));
    close((int)fd);
    return rc;
}

struct spt_fs_simple *spt_fs_truncate_new(const char *path, int64_t size)
{
    struct spt_fs_simple *s = new_simple(path, "truncate", truncate_step);
    if (s)
        s->size = size;
    return s;
}

/* --- temporary files --- */

/* Replaces the path by that from the root of the file system, because the process may change its
 * folder. */
static int make_absolute(struct spt_fs_simple *s)
{
    char *path = s->path[0] == '/' ? NULL : realpath(s->path, NULL);
    if (!path)
        return s->path[0] == '/' ? 0 : -errno;
    free(s->path);
    s->path = path;
    return 0;
}

static int make_temporary(struct spt_fs_simple *s)
{
    struct stat st;
    int fd = -1;
    if (!s->flag)
        fd = mkostemp(s->path, O_CLOEXEC);
    const bool made = s->flag ? mkdtemp(s->path) != NULL : fd >= 0;
    if (!made)
        return -errno;
    if (fd >= 0)
        close(fd);
    s->call.untaken = true;
    if (lstat(s->path, &st) != 0)
        return -errno;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return make_absolute(s);
}

static int temporary_step(struct spt_fs_call *call)
{
    struct spt_fs_simple *s = SPT_OF(call, struct spt_fs_simple, call);
    if (!call->untaken)
        return spt_fs_call_is_abandoned(call) ? -ECANCELED : make_temporary(s);
    (s->flag ? rmdir : unlink)(s->path);
    call->untaken = false;
    return -ECANCELED;
}

struct spt_fs_simple *spt_fs_temporary_new(const char *pattern, bool folder)
{
    struct spt_fs_simple *s = new_simple(pattern, "make", temporary_step);
    if (!s)
        return NULL;
    s->flag = folder;
    s->other = strdup(pattern);
    s->call.path = s->other; /* the other changes in the pool */
    if (s->other)
        return s;
    release(&s->call.job);
    return NULL;
}
