/* SPDX-License-Identifier: MIT */
/* Goes through the tree that is copied, with an open folder of the copy for each of its folders. */
#include "fs/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"

enum { ENTRIES_A_LOOK = 16 };

static int blame(struct spt_fs_copy *c, const struct spt_fs_tree_item *item, int rc)
{
    if (rc < 0)
        spt_fs_call_blame(&c->call, item->where, item->where_len, item->name);
    return rc;
}

/* --- an entry of the tree --- */

/* Returns true if an attempt that failed is to be repeated with fewer open folders. */
static bool may_repeat(struct spt_fs_copy *c, int rc)
{
    return spt_dirs_spare(&c->target, rc) || spt_dirs_spare(&c->tree.dirs, rc);
}

/* Makes a folder, enters it, and has the tree enter its own. A folder is not copied into itself. */
static int copy_folder(struct spt_fs_copy *c, const struct spt_fs_tree_item *item)
{
    struct stat st;
    if (fstatat(item->at, item->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    const struct spt_dirs_level *root = c->target.levels;
    if (st.st_dev == root->dev && st.st_ino == root->ino)
        return -EINVAL;
    int at = spt_dirs_top(&c->target)->fd;
    if (mkdirat(at, item->name, 0700) != 0 && !(errno == EEXIST && c->overwrite))
        return -errno;
    int rc;
    do {
        rc = spt_dirs_enter(&c->target, item->name, false);
    } while (may_repeat(c, rc));
    return rc;
}

/* Leaves a folder of the copy, which gets the permissions of the one that was copied. */
static int end_folder(struct spt_fs_copy *c, const struct spt_fs_tree_item *item)
{
    struct stat st;
    int rc = 0;
    if (fstatat(item->at, item->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
        fchmod(spt_dirs_top(&c->target)->fd, st.st_mode & 0777) != 0)
        rc = -errno;
    int left = spt_dirs_leave(&c->target);
    return rc ? rc : left;
}

static int copy_link(struct spt_fs_copy *c, const struct spt_fs_tree_item *item)
{
    char text[PATH_MAX];
    int at = spt_dirs_top(&c->target)->fd;
    ssize_t n = readlinkat(item->at, item->name, text, sizeof text - 1);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    if (symlinkat(text, at, item->name) == 0)
        return 0;
    if (errno != EEXIST || !c->overwrite)
        return -errno;
    return unlinkat(at, item->name, 0) == 0 && symlinkat(text, at, item->name) == 0 ? 0 : -errno;
}

static int begin_file(struct spt_fs_copy *c, const struct spt_fs_tree_item *item)
{
    struct stat st;
    const int how = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW;
    long fd;
    do {
        fd = SPT_FS_RETRY(openat(item->at, item->name, how));
    } while (may_repeat(c, (int)fd));
    if (fd < 0)
        return (int)fd;
    if (fstat((int)fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close((int)fd);
        return -EINVAL;
    }
    return spt_copy_file_begin(&c->file, (int)fd, spt_dirs_top(&c->target)->fd, item->name,
                               c->overwrite);
}

static int enter_again(struct spt_fs_copy *c, const struct spt_fs_tree_item *item)
{
    spt_fs_tree_again(&c->tree, item->name);
    return 0;
}

static int copy_item(struct spt_fs_copy *c, const struct spt_fs_tree_item *item)
{
    if (item->kind == SPT_FS_TREE_FAULT && item->name && spt_dirs_spare(&c->target, item->error))
        return enter_again(c, item);
    if (item->kind == SPT_FS_TREE_FAULT)
        return item->error;
    if (item->kind == SPT_FS_TREE_LEAVE)
        return end_folder(c, item);
    switch (item->type) {
    case 0:
        return 0;
    case S_IFDIR:
        return copy_folder(c, item);
    case S_IFLNK:
        return copy_link(c, item);
    case S_IFREG:
        return begin_file(c, item);
    default:
        return -EINVAL;
    }
}

/* --- the parts of the work --- */

static int copy_tree(struct spt_fs_copy *c)
{
    struct spt_fs_tree_item item;
    const uint64_t until = spt_fs_now() + SPT_FS_SLICE_NS;
    for (unsigned n = 1;; n++) {
        if (spt_copy_file_is_open(&c->file)) {
            int copied = spt_copy_file_some(&c->file);
            if (copied)
                return copied;
        }
        if (spt_fs_call_is_abandoned(&c->call))
            return -ECANCELED;
        if (n % ENTRIES_A_LOOK == 0 && spt_fs_now() > until)
            return SPT_FS_MORE;
        int rc = spt_fs_tree_next(&c->tree, &item);
        if (rc == 0 && fchmod(c->target.levels[0].fd, c->root_mode) != 0)
            rc = -errno;
        if (rc <= 0)
            return rc;
        rc = blame(c, &item, copy_item(c, &item));
        if (rc)
            return rc;
    }
}

static int copy_root_file(struct spt_fs_copy *c)
{
    return spt_copy_file_some(&c->file);
}

static void blame_target(struct spt_fs_copy *c)
{
    spt_fs_call_blame(&c->call, c->to, strlen(c->to), NULL);
}

/* Begins with a folder: makes the root of the copy. */
static int begin_tree(struct spt_fs_copy *c, int fd, const struct stat *st)
{
    c->made_root = mkdirat(c->parent, c->base, 0700) == 0;
    int rc = c->made_root || (errno == EEXIST && c->overwrite) ? 0 : -errno;
    int to = rc ? rc : spt_dirs_open(c->parent, c->base, false);
    if (to < 0) {
        close(fd);
        blame_target(c);
        return to;
    }
    c->root_mode = st->st_mode & 0777;
    int begun = spt_dirs_begin(&c->target, to, c->to);
    int opened = spt_fs_tree_begin(&c->tree, fd, c->from);
    c->next = copy_tree;
    return begun ? begun : opened;
}

static int begin_root_file(struct spt_fs_copy *c, int fd)
{
    int rc = spt_copy_file_begin(&c->file, fd, c->parent, c->base, c->overwrite);
    if (rc)
        blame_target(c);
    c->next = copy_root_file;
    return rc;
}

static int begin(struct spt_fs_copy *c)
{
    struct stat st;
    bool slashes;
    long fd = SPT_FS_RETRY(open(c->from, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (fd < 0)
        return (int)fd;
    int rc = fstat((int)fd, &st) == 0 ? 0 : -errno;
    if (rc == 0 && !S_ISREG(st.st_mode))
        rc = !S_ISDIR(st.st_mode) ? -EINVAL : c->recursive ? 0 : -EISDIR;
    if (rc == 0) {
        c->parent = rc = spt_fs_open_parent(c->to, &c->base, &slashes);
        if (rc < 0)
            blame_target(c);
    }
    if (rc < 0) {
        close((int)fd);
        return rc;
    }
    return S_ISDIR(st.st_mode) ? begin_tree(c, (int)fd, &st) : begin_root_file(c, (int)fd);
}

static void close_all(struct spt_fs_copy *c)
{
    spt_copy_file_drop(&c->file);
    spt_fs_tree_release(&c->tree);
    spt_fs_tree_init(&c->tree);
    spt_dirs_release(&c->target);
    if (c->parent >= 0)
        close(c->parent);
    c->parent = -1;
}

static int undo_some(struct spt_fs_copy *c)
{
    return spt_fs_remove_step(&c->undo.call) == SPT_FS_MORE ? SPT_FS_MORE : c->failed;
}

/* Begins to remove the folder that was made here, if there is one, with what was copied into it.
 * Another one that has its name by now is left. */
static int fail(struct spt_fs_copy *c, int rc)
{
    const struct spt_dirs_level root =
        c->target.depth > 0 ? c->target.levels[0] : (struct spt_dirs_level){0};
    const bool filled = c->target.depth > 0;
    int parent = c->made_root ? c->parent : -1;
    if (c->made_root)
        c->parent = -1;
    close_all(c);
    if (parent < 0)
        return rc;
    c->failed = rc;
    c->next = undo_some;
    spt_fs_remove_init_at(&c->undo, parent, c->base);
    c->undo.recursive = c->undo.identified = filled;
    c->undo.dev = root.dev;
    c->undo.ino = root.ino;
    c->base = NULL;
    return SPT_FS_MORE;
}

static int step(struct spt_fs_call *call)
{
    struct spt_fs_copy *c = SPT_OF(call, struct spt_fs_copy, call);
    if (c->next == undo_some)
        return undo_some(c);
    const bool beginning = !c->next;
    int rc = -ECANCELED;
    if (!spt_fs_call_is_abandoned(call))
        rc = beginning ? begin(c) : c->next(c);
    if (rc == 0 && beginning)
        return SPT_FS_MORE;
    if (rc == 0)
        close_all(c);
    return rc < 0 ? fail(c, rc) : rc;
}

/* --- life --- */

static void release(struct spt_job *job)
{
    struct spt_fs_copy *c = SPT_OF(job, struct spt_fs_copy, call.job);
    close_all(c);
    spt_fs_remove_release(&c->undo);
    free(c->call.fault);
    free(c->base);
    free(c->to);
    free(c->from);
    free(c);
}

static const struct spt_job_type job_type = SPT_FS_JOB_TYPE(release);

struct spt_fs_copy *spt_fs_copy_new(const char *from, const char *to, bool recursive,
                                    bool overwrite)
{
    struct spt_fs_copy *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->call = (struct spt_fs_call){.job.type = &job_type, .step = step, .verb = "copy"};
    spt_copy_file_init(&c->file);
    spt_fs_tree_init(&c->tree);
    spt_dirs_init(&c->target);
    c->parent = c->undo.parent = -1;
    c->recursive = recursive;
    c->overwrite = overwrite;
    c->from = strdup(from);
    c->to = strdup(to);
    c->call.path = c->from;
    if (c->from && c->to)
        return c;
    release(&c->call.job);
    return NULL;
}
