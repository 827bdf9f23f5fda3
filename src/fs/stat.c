/* SPDX-License-Identifier: MIT */
/* Examines files by fstatat(). */
#include "fs/stat.h"

#include <errno.h>
#include <fcntl.h>

const char *spt_fs_stat_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    case S_IFCHR:
        return "char";
    case S_IFBLK:
        return "block";
    default:
        return "unknown";
    }
}

static int64_t nanoseconds(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

void spt_fs_stat_fill(struct spt_fs_stat *out, const struct stat *st)
{
    *out = (struct spt_fs_stat){
        .type = spt_fs_stat_type(st->st_mode),
        .size = st->st_size,
        .blocks = st->st_blocks,
        .inode = st->st_ino,
        .device = st->st_dev,
        .links = st->st_nlink,
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .times = {nanoseconds(&st->st_atim), nanoseconds(&st->st_mtim), nanoseconds(&st->st_ctim)}};
}

int spt_fs_stat_at(struct spt_fs_stat *out, int at, const char *name, bool links)
{
    struct stat st;
    if (fstatat(at, name, &st, links ? AT_SYMLINK_NOFOLLOW : 0) != 0)
        return -errno;
    spt_fs_stat_fill(out, &st);
    return 0;
}
