/* SPDX-License-Identifier: MIT */
/* Unlinks each entry by the descriptor of its folder, and each folder once it is empty. */
#include "fs/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"

enum { ENTRIES_A_LOOK = 16 };

static void close_all(struct spt_fs_remove *r)
{
    spt_fs_tree_release(&r->tree);
    spt_fs_tree_init(&r->tree);
    if (r->parent >= 0)
        close(r->parent);
    r->parent = -1;
}

void spt_fs_remove_release(struct spt_fs_remove *r)
{
    close_all(r);
    free(r->call.fault);
    free(r->again);
    free(r->base);
    free(r->path);
}

static void on_release(struct spt_job *job)
{
    struct spt_fs_remove *r = SPT_OF(job, struct spt_fs_remove, call.job);
    spt_fs_remove_release(r);
    free(r);
}

static const struct spt_job_type job_type = SPT_FS_JOB_TYPE(on_release);

static void init(struct spt_fs_remove *r)
{
    r->call.job.type = &job_type;
    r->call.step = spt_fs_remove_step;
    r->call.verb = "remove";
    spt_fs_tree_init(&r->tree);
}

struct spt_fs_remove *spt_fs_remove_new(const char *path, bool recursive)
{
    struct spt_fs_remove *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    init(r);
    r->path = strdup(path);
    r->call.path = r->path;
    r->parent = -1;
    r->recursive = recursive;
    if (r->path)
        return r;
    free(r);
    return NULL;
}

void spt_fs_remove_init_at(struct spt_fs_remove *r, int parent, char *base)
{
    *r = (struct spt_fs_remove){.base = base, .parent = parent, .recursive = true};
    init(r);
    r->call.path = base;
}

/* Returns 0, or a negative errno unless the entry is gone. */
static int unlink_at(struct spt_fs_remove *r, int at, const char *name, int flags)
{
    if (unlinkat(at, name, flags) == 0) {
        r->removed++;
        return 0;
    }
    return errno == ENOENT ? 0 : -errno;
}

static bool is_not_empty(int rc)
{
    return rc == -ENOTEMPTY || rc == -EEXIST;
}

/* Returns true if a folder in which entries were left, or were made, is to be entered again. Some
 * file systems leave out names while others are removed. */
static bool may_retry(struct spt_fs_remove *r, int rc)
{
    if (!is_not_empty(rc) || r->removed == r->retried)
        return false;
    r->retried = r->removed;
    return true;
}

static int remove_folder(struct spt_fs_remove *r, const struct spt_fs_tree_item *item)
{
    int rc = unlink_at(r, item->at, item->name, AT_REMOVEDIR);
    if (!may_retry(r, rc))
        return rc;
    free(r->again);
    r->again = strdup(item->name);
    if (!r->again)
        return -ENOMEM;
    spt_fs_tree_again(&r->tree, r->again);
    return 0;
}

/* Removes a folder that cannot be read, if it is empty, or what took its place. */
static int remove_unreadable(struct spt_fs_remove *r, const struct spt_fs_tree_item *item)
{
    if (item->error == -ENOENT)
        return 0;
    if (!item->name)
        return item->error;
    const bool replaced = item->error == -ENOTDIR || item->error == -ELOOP;
    int rc = unlink_at(r, item->at, item->name, replaced ? 0 : AT_REMOVEDIR);
    return rc ? item->error : 0;
}

static int remove_item(struct spt_fs_remove *r, const struct spt_fs_tree_item *item)
{
    int rc = 0;
    if (item->kind == SPT_FS_TREE_LEAVE)
        rc = remove_folder(r, item);
    else if (item->kind == SPT_FS_TREE_FAULT)
        rc = remove_unreadable(r, item);
    else if (item->type != S_IFDIR)
        rc = unlink_at(r, item->at, item->name, 0);
    if (rc)
        spt_fs_call_blame(&r->call, item->where, item->where_len, item->name);
    return rc;
}

/* Returns 1 if the name is a folder with contents to be removed, 0 if it is done, or a negative
 * errno. */
static int begin(struct spt_fs_remove *r)
{
    struct stat st;
    bool slashes = false;
    if (r->parent < 0)
        r->parent = spt_fs_open_parent(r->path, &r->base, &slashes);
    if (r->parent < 0)
        return r->parent;
    if (fstatat(r->parent, r->base, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return r->persists && errno == ENOENT ? 0 : -errno;
    if (r->identified && (st.st_dev != r->dev || st.st_ino != r->ino))
        return 0;
    if (!S_ISDIR(st.st_mode)) {
        int rc = slashes ? ENOTDIR : unlinkat(r->parent, r->base, 0) == 0 ? 0 : errno;
        return -rc;
    }
    if (r->recursive)
        return 1;
    return unlinkat(r->parent, r->base, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

static int open_tree(struct spt_fs_remove *r)
{
    struct stat st;
    spt_fs_tree_release(&r->tree);
    spt_fs_tree_init(&r->tree);
    int fd = spt_dirs_open(r->parent, r->base, false);
    if (fd < 0)
        return fd;
    if (r->identified && (fstat(fd, &st) != 0 || st.st_dev != r->dev || st.st_ino != r->ino)) {
        close(fd);
        return -ENOENT;
    }
    return spt_fs_tree_begin(&r->tree, fd, r->path ? r->path : r->base);
}

/* Removes the emptied root. Returns SPT_FS_MORE if it is not empty. */
static int remove_root(struct spt_fs_remove *r)
{
    int rc = unlink_at(r, r->parent, r->base, AT_REMOVEDIR);
    if (!may_retry(r, rc))
        return rc;
    rc = open_tree(r);
    return rc ? rc : SPT_FS_MORE;
}

static int remove_some(struct spt_fs_remove *r)
{
    struct spt_fs_tree_item item;
    const uint64_t until = spt_fs_now() + SPT_FS_SLICE_NS;
    for (unsigned n = 1;; n++) {
        if (!r->persists && spt_fs_call_is_abandoned(&r->call))
            return -ECANCELED;
        if (n % ENTRIES_A_LOOK == 0 && spt_fs_now() > until)
            return SPT_FS_MORE;
        int rc = spt_fs_tree_next(&r->tree, &item);
        if (rc == 0)
            return remove_root(r);
        rc = rc < 0 ? rc : remove_item(r, &item);
        if (rc)
            return rc;
    }
}

int spt_fs_remove_step(struct spt_fs_call *call)
{
    struct spt_fs_remove *r = (struct spt_fs_remove *)call;
    int rc = r->begun || r->persists || !spt_fs_call_is_abandoned(call) ? 1 : -ECANCELED;
    if (rc == 1 && !r->begun) {
        r->begun = true;
        rc = begin(r);
        if (rc == 1) {
            int opened = open_tree(r);
            /* what cannot be read may still be empty */
            rc = opened == 0                                                        ? 1
                 : opened == -EACCES && !unlinkat(r->parent, r->base, AT_REMOVEDIR) ? 0
                                                                                    : opened;
        }
    }
    if (rc == 1)
        rc = remove_some(r);
    if (rc != SPT_FS_MORE)
        close_all(r);
    return rc;
}
