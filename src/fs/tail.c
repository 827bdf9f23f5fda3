/* SPDX-License-Identifier: MIT */
/* Compares the open file with the one at the path whenever it has no more bytes. */
#include "fs/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"

static void close_file(struct spt_fs_tail *tail)
{
    if (tail->fd >= 0)
        close(tail->fd);
    tail->fd = -1;
}

/* Opens the file at the path. Returns 0, or a negative errno: -ENOENT if there is none. */
static int open_file(struct spt_fs_tail *tail)
{
    struct stat st;
    const bool first = !tail->looked;
    tail->looked = true;
    long fd = SPT_FS_RETRY(open(tail->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (fd < 0)
        return (int)fd;
    int rc = fstat((int)fd, &st) == 0 ? 0 : -errno;
    if (rc == 0 && !S_ISREG(st.st_mode))
        rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if (rc) {
        close((int)fd);
        return rc;
    }
    close_file(tail);
    tail->fd = (int)fd;
    tail->dev = st.st_dev;
    tail->ino = st.st_ino;
    tail->at = first && tail->from_end ? st.st_size : 0;
    return 0;
}

/* Reads the next bytes. Returns their number, or a negative errno. */
static int read_bytes(struct spt_fs_tail *tail)
{
    long n = SPT_FS_RETRY(pread(tail->fd, tail->bytes, sizeof tail->bytes, tail->at));
    tail->len = n > 0 ? (size_t)n : 0;
    tail->at += n > 0 ? n : 0;
    if (n > 0)
        tail->found = SPT_TAIL_BYTES;
    return (int)n;
}

/* Closes a removed file: while it is open, the kernel does not report the end of its folder. */
static int end_removed(struct spt_fs_tail *tail)
{
    close_file(tail);
    tail->found = SPT_TAIL_REMOVED;
    return 0;
}

static int replace(struct spt_fs_tail *tail)
{
    int rc = open_file(tail);
    if (rc == 0)
        tail->found = SPT_TAIL_REPLACED;
    return rc == -ENOENT ? 0 : rc;
}

/* Finds out what the end of the open file means. */
static int look_at_path(struct spt_fs_tail *tail)
{
    struct stat mine, named;
    if (fstat(tail->fd, &mine) != 0)
        return -errno;
    if (mine.st_size < tail->at) {
        tail->found = SPT_TAIL_TRUNCATED;
        tail->at = 0;
        return 0;
    }
    tail->found = SPT_TAIL_END;
    const bool missing = stat(tail->path, &named) != 0;
    if (missing && errno != ENOENT && errno != ENOTDIR)
        return -errno;
    const bool kept = missing ? mine.st_nlink > 0 /* moved away, and perhaps still written */
                              : named.st_dev == tail->dev && named.st_ino == tail->ino;
    if (kept)
        return 0;
    int n = read_bytes(tail); /* what was written before */
    if (n != 0)
        return n < 0 ? n : 0;
    return missing ? end_removed(tail) : replace(tail);
}

static int look(struct spt_fs_tail *tail)
{
    tail->len = 0;
    if (tail->fd < 0) {
        int rc = open_file(tail);
        tail->found = SPT_TAIL_MISSING;
        if (rc)
            return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
    }
    int n = read_bytes(tail);
    return n == 0 ? look_at_path(tail) : n < 0 ? n : 0;
}

static void run(struct spt_job *job)
{
    struct spt_fs_tail *tail = SPT_OF(job, struct spt_fs_tail, job);
    if (spt_job_is_abandoned(job))
        close_file(tail);
    else
        job->error = look(tail);
    job->unfinished = tail->fd >= 0;
}

static void release(struct spt_job *job)
{
    struct spt_fs_tail *tail = SPT_OF(job, struct spt_fs_tail, job);
    free(tail->path);
    free(tail);
}

static const struct spt_job_type job_type = {.run = run, .release = release};

struct spt_fs_tail *spt_fs_tail_new(const char *path, bool from_end)
{
    struct spt_fs_tail *tail = calloc(1, sizeof *tail);
    if (!tail)
        return NULL;
    tail->job.type = &job_type;
    tail->path = strdup(path);
    tail->from_end = from_end;
    tail->fd = -1;
    if (tail->path)
        return tail;
    free(tail);
    return NULL;
}
