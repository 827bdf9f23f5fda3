/* SPDX-License-Identifier: MIT */
/* Keeps a stack of folders, each with the names in it that are to come. */
#include "fs/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    UNSETTLED_LEVELS = 8
}; /* the deepest folders, which may keep a descriptor for their names */

void spt_fs_tree_init(struct spt_fs_tree *tree)
{
    *tree = (struct spt_fs_tree){0};
    spt_dirs_init(&tree->dirs);
}

static int make_room(struct spt_fs_tree *tree)
{
    if (tree->dirs.depth < tree->cap)
        return 0;
    size_t cap = tree->cap ? 2 * tree->cap : 16;
    struct spt_fs_tree_level *levels = realloc(tree->levels, cap * sizeof *levels);
    if (!levels)
        return -ENOMEM;
    tree->levels = levels;
    tree->cap = cap;
    return 0;
}

static struct spt_fs_tree_level *top_of(struct spt_fs_tree *tree)
{
    return &tree->levels[tree->dirs.depth - 1];
}

/* Begins with the names of the top. */
static int begin_names(struct spt_fs_tree *tree)
{
    struct spt_fs_tree_level *top = top_of(tree);
    int rc;
    spt_names_init(&top->names);
    top->id = tree->ids;
    do {
        rc = spt_names_begin(&top->names, spt_dirs_top(&tree->dirs)->fd, tree->sorted);
    } while (spt_dirs_spare(&tree->dirs, rc));
    return rc;
}

int spt_fs_tree_begin(struct spt_fs_tree *tree, int fd, const char *path)
{
    int rc = spt_dirs_begin(&tree->dirs, fd, path);
    if (rc == 0) {
        rc = make_room(tree);
        if (rc == 0)
            rc = begin_names(tree);
        else
            spt_dirs_release(&tree->dirs);
    }
    return rc;
}

void spt_fs_tree_release(struct spt_fs_tree *tree)
{
    for (size_t i = 0; i < tree->dirs.depth; i++)
        spt_names_release(&tree->levels[i].names);
    free(tree->levels);
    spt_dirs_release(&tree->dirs);
    *tree = (struct spt_fs_tree){0};
}

/* Fills in where the item is: in the top. */
static void place(struct spt_fs_tree *tree, struct spt_fs_tree_item *item)
{
    const struct spt_dirs_level *top = spt_dirs_top(&tree->dirs);
    item->at = top->fd;
    item->where = tree->dirs.path.data;
    item->where_len = top->path_len;
    item->depth = tree->dirs.depth;
}

static int fault(struct spt_fs_tree *tree, struct spt_fs_tree_item *item, const char *name,
                 int error)
{
    *item = (struct spt_fs_tree_item){
        .kind = SPT_FS_TREE_FAULT, .name = name, .type = S_IFDIR, .error = error};
    place(tree, item);
    return error == -ENOMEM ? error : 1;
}

/* Leaves the top. If the one above it cannot be opened again, returns an error, and that one has no
 * more names, because they could not be examined. */
static int leave(struct spt_fs_tree *tree)
{
    spt_names_release(&top_of(tree)->names);
    tree->linked -= spt_dirs_top(&tree->dirs)->by_link;
    int rc = spt_dirs_leave(&tree->dirs);
    if (rc)
        spt_names_release(&top_of(tree)->names);
    return rc;
}

/* Enters the pending folder. Returns 0, or what spt_fs_tree_next() returns. */
static int enter(struct spt_fs_tree *tree, struct spt_fs_tree_item *item)
{
    const char *name = tree->pending;
    tree->pending = NULL;
    int rc = make_room(tree);
    if (rc == 0 && tree->dirs.depth >= UNSETTLED_LEVELS)
        rc = spt_names_settle(&tree->levels[tree->dirs.depth - UNSETTLED_LEVELS].names);
    if (rc)
        return rc;
    rc = spt_dirs_enter(&tree->dirs, name, tree->pending_link);
    if (rc)
        return fault(tree, item, name, rc);
    tree->linked += tree->pending_link;
    rc = begin_names(tree);
    if (rc == 0 && tree->linked && spt_dirs_is_loop(&tree->dirs))
        rc = -ELOOP;
    if (rc == 0)
        return 0;
    int left = leave(tree); /* the one above it is open: it was the top */
    return fault(tree, item, name, left ? left : rc);
}

/* Returns the S_IFMT bits of a name's type, or 0 if it is gone. Sets `link` for a link to a folder
 * that is to be entered. */
static unsigned type_of(const struct spt_fs_tree *tree, int at, const char *name,
                        unsigned char d_type, bool *link)
{
    struct stat st;
    unsigned type = DTTOIF(d_type);
    if (d_type == DT_UNKNOWN)
        type = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & S_IFMT : 0;
    if (type == S_IFLNK && tree->follow && fstatat(at, name, &st, 0) == 0) {
        type = st.st_mode & S_IFMT;
        *link = type == S_IFDIR;
    }
    return type;
}

static int hand_out(struct spt_fs_tree *tree, struct spt_fs_tree_item *item, const char *name,
                    unsigned char d_type)
{
    bool link = false;
    *item = (struct spt_fs_tree_item){.kind = SPT_FS_TREE_ENTRY, .name = name};
    place(tree, item);
    item->type = type_of(tree, item->at, name, d_type, &link);
    if (item->type == S_IFDIR) {
        tree->ids++;
        tree->pending = name;
        tree->pending_link = link;
    }
    return 1;
}

/* Ends the top. Hands out its end, or the fault that the folder above it cannot be found again. */
static int end_top(struct spt_fs_tree *tree, struct spt_fs_tree_item *item)
{
    if (tree->dirs.depth == 1)
        return 0;
    int rc = leave(tree);
    const char *name = tree->dirs.path.data + spt_dirs_top(&tree->dirs)->path_len;
    if (rc)
        return fault(tree, item, NULL, rc);
    *item = (struct spt_fs_tree_item){
        .kind = SPT_FS_TREE_LEAVE, .name = name + (name[0] == '/'), .type = S_IFDIR};
    place(tree, item);
    return 1;
}

int spt_fs_tree_next(struct spt_fs_tree *tree, struct spt_fs_tree_item *item)
{
    if (tree->pending) {
        int rc = enter(tree, item);
        if (rc)
            return rc;
    }
    const char *name;
    unsigned char type;
    int rc = spt_names_next(&top_of(tree)->names, &name, &type);
    if (rc > 0)
        return hand_out(tree, item, name, type);
    if (rc == 0)
        return end_top(tree, item);
    spt_names_release(&top_of(tree)->names); /* the next call ends the folder */
    return fault(tree, item, NULL, rc);
}

void spt_fs_tree_prune(struct spt_fs_tree *tree, uint64_t id)
{
    if (tree->pending && tree->ids == id)
        tree->pending = NULL;
    for (size_t i = 1; i < tree->dirs.depth; i++) {
        if (tree->levels[i].id != id)
            continue;
        tree->pending = NULL;
        while (tree->dirs.depth > i)
            leave(tree);
        return;
    }
}
