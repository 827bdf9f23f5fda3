/* SPDX-License-Identifier: MIT */
/* Paths, as calls take them apart and put them together. */
#include "fs/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

#ifndef O_PATH
#define O_PATH O_RDONLY
#endif

void spt_fs_call_run(struct spt_job *job)
{
    struct spt_fs_call *call = SPT_OF(job, struct spt_fs_call, job);
    call->result = call->step(call);
    job->unfinished = call->result == SPT_FS_MORE || call->untaken;
    job->error = call->result < 0 ? call->result : 0;
}

void spt_fs_call_describe(const struct spt_job *job, char *text, size_t size)
{
    const struct spt_fs_call *call = SPT_OF(job, const struct spt_fs_call, job);
    snprintf(text, size, "'%s'", call->path);
}

void spt_fs_call_blame(struct spt_fs_call *call, const char *where, size_t where_len,
                       const char *name)
{
    const bool slash = name && where_len > 0 && where[where_len - 1] != '/';
    const size_t name_len = name ? strlen(name) : 0;
    char *path = malloc(where_len + slash + name_len + 1);
    free(call->fault);
    call->fault = path;
    if (!path)
        return;
    memcpy(path, where, where_len);
    if (slash)
        path[where_len] = '/';
    if (name)
        memcpy(path + where_len + slash, name, name_len);
    path[where_len + slash + name_len] = '\0';
}

/* Returns a copy of n bytes as a string, or NULL if there is no memory. */
static char *copy_of(const char *bytes, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy) {
        memcpy(copy, bytes, n);
        copy[n] = '\0';
    }
    return copy;
}

int spt_fs_open_parent(const char *path, char **base, bool *slashes)
{
    size_t len = strlen(path), end = len;
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t from = end;
    while (from > 0 && path[from - 1] != '/')
        from--;
    *slashes = end < len;
    *base = NULL;
    const size_t n = end - from;
    if (len == 0)
        return -ENOENT;
    if (n == 0 || strncmp(path + from, "..", n) == 0) /* also "." */
        return -EINVAL;
    char *folder = from > 0 ? copy_of(path, from) : copy_of(".", 1);
    *base = copy_of(path + from, n);
    long fd = -ENOMEM;
    if (folder && *base)
        fd = SPT_FS_RETRY(open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC));
    free(folder);
    if (fd < 0) {
        free(*base);
        *base = NULL;
    }
    return (int)fd;
}
