/* SPDX-License-Identifier: MIT */
/* Packs what the tree hands out into a batch. */
#include "fs/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "fs/call.h"
#include "septet/septet.h"

enum { BATCH_ENTRIES = 1024, BATCH_BYTES = 256 * 1024, ENTRIES_A_LOOK = 32 };

/* Opens the root, to which a link may lead. */
static int begin(struct spt_walk *walk)
{
    walk->begun = true;
    int fd = spt_dirs_open(AT_FDCWD, walk->root, true);
    return fd < 0 ? fd : spt_fs_tree_begin(&walk->tree, fd, walk->root);
}

/* Examines an entry. Returns false if it is gone. */
static bool examine(const struct spt_walk *walk, const struct spt_fs_tree_item *item,
                    struct spt_walk_entry *entry)
{
    if (item->type == 0)
        return false;
    entry->stat.type = spt_fs_stat_type(item->type);
    if (!(walk->flags & SPT_WALK_STAT))
        return true;
    const bool links = !walk->tree.follow || item->type == S_IFLNK;
    int rc = spt_fs_stat_at(&entry->stat, item->at, item->name, links);
    if (rc && rc != -ENOENT) {
        entry->error = rc;
        entry->id = 0;
    }
    return rc != -ENOENT;
}

static size_t aligned(size_t n)
{
    const size_t to = _Alignof(struct spt_walk_entry);
    return (n + to - 1) / to * to;
}

/* Appends an entry with its text. */
static int pack(struct spt_walk *walk, const struct spt_fs_tree_item *item,
                struct spt_walk_entry *entry)
{
    struct spt_buf *batch = &walk->batch;
    const bool named = walk->flags & SPT_WALK_NAMES && !entry->error;
    const size_t where_len = named ? 0 : item->where_len;
    const size_t name_len = item->name ? strlen(item->name) : 0;
    const bool slash = where_len > 0 && item->name && item->where[where_len - 1] != '/';
    const size_t len = where_len + slash + name_len;
    const size_t size = aligned(sizeof *entry + len + 1);
    if (size > UINT32_MAX || spt_buf_reserve(batch, size) != SEPTET_OK)
        return -ENOMEM;
    entry->size = (uint32_t)size;
    entry->text_len = (uint32_t)len;
    entry->name_at = (uint32_t)(where_len + slash);
    entry->depth = item->depth;
    char *to = batch->data + batch->len;
    memcpy(to, entry, sizeof *entry);
    to += sizeof *entry;
    if (where_len > 0)
        memcpy(to, item->where, where_len);
    if (slash)
        to[where_len] = '/';
    if (name_len > 0)
        memcpy(to + where_len + slash, item->name, name_len);
    to[len] = '\0';
    batch->len += size;
    return 0;
}

static int add(struct spt_walk *walk, const struct spt_fs_tree_item *item)
{
    struct spt_walk_entry entry = {.error = item->error};
    if (item->kind == SPT_FS_TREE_LEAVE)
        return 0;
    if (item->kind == SPT_FS_TREE_ENTRY) {
        entry.id = item->type == S_IFDIR ? walk->tree.ids : 0;
        if (item->depth >= walk->depth)
            spt_fs_tree_skip(&walk->tree);
        if (!examine(walk, item, &entry))
            return 0;
    }
    return pack(walk, item, &entry);
}

static int fill(struct spt_walk *walk)
{
    struct spt_fs_tree_item item;
    int rc = walk->begun ? 0 : begin(walk);
    if (walk->prune && rc == 0)
        spt_fs_tree_prune(&walk->tree, walk->prune);
    const uint64_t until = spt_fs_now() + SPT_FS_SLICE_NS;
    for (unsigned n = 1; rc == 0 && n <= BATCH_ENTRIES && walk->batch.len < BATCH_BYTES; n++) {
        if (spt_job_is_abandoned(&walk->job) || (n % ENTRIES_A_LOOK == 0 && spt_fs_now() > until))
            break;
        int got = spt_fs_tree_next(&walk->tree, &item);
        if (got == 0)
            walk->ended = true;
        if (got <= 0)
            return got;
        rc = add(walk, &item);
    }
    return rc;
}

/* Fills a batch, or closes the folders of a walk that is no longer wanted. */
static void run(struct spt_job *job)
{
    struct spt_walk *walk = SPT_OF(job, struct spt_walk, job);
    walk->batch.len = 0;
    job->error = walk->ended || spt_job_is_abandoned(job) ? 0 : fill(walk);
    walk->ended |= job->error != 0 || spt_job_is_abandoned(job);
    if (walk->ended) {
        spt_fs_tree_release(&walk->tree);
        spt_fs_tree_init(&walk->tree);
    }
    job->unfinished = !walk->ended;
}

static void release(struct spt_job *job)
{
    struct spt_walk *walk = SPT_OF(job, struct spt_walk, job);
    spt_buf_release(&walk->batch);
    free(walk->root);
    free(walk);
}

static void describe(const struct spt_job *job, char *text, size_t size)
{
    snprintf(text, size, "'%s'", SPT_OF(job, const struct spt_walk, job)->root);
}

static const struct spt_job_type job_type = {.run = run, .release = release, .describe = describe};

struct spt_walk *spt_walk_new(const char *root, unsigned flags, uint64_t depth)
{
    struct spt_walk *walk = calloc(1, sizeof *walk);
    if (!walk)
        return NULL;
    *walk = (struct spt_walk){
        .job.type = &job_type, .root = strdup(root), .flags = flags, .depth = depth};
    spt_buf_init(&walk->batch, SIZE_MAX);
    spt_fs_tree_init(&walk->tree);
    walk->tree.sorted = flags & SPT_WALK_SORT;
    walk->tree.follow = flags & SPT_WALK_FOLLOW;
    if (walk->root)
        return walk;
    free(walk);
    return NULL;
}
