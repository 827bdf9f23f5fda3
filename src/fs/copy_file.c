/* SPDX-License-Identifier: MIT */
/* Lets the kernel copy, by copy_file_range() or by sendfile(), and copies itself if it cannot: then
 * each way is tried in this order. */
#include "fs/copy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/call.h"
#include "loop/disk_file.h"

enum { AT_ONCE = 4 * 1024 * 1024, PIECE = 256 * 1024, NAMES_TRIED = 100 };

void spt_copy_file_init(struct spt_copy_file *copy)
{
    *copy = (struct spt_copy_file){.from = -1, .to = -1, .at = -1};
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void release(struct spt_copy_file *copy)
{
    close_fd(&copy->from);
    close_fd(&copy->to);
    free(copy->name);
    free(copy->temporary);
    spt_copy_file_init(copy);
}

void spt_copy_file_drop(struct spt_copy_file *copy)
{
    if (copy->to >= 0)
        unlinkat(copy->at, copy->temporary ? copy->temporary : copy->name, 0);
    release(copy);
}

static int create(int at, const char *name)
{
    return (int)SPT_FS_RETRY(
        openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
}

/* Creates a file with a name of its own beside the one that it will replace. */
static int create_temporary(struct spt_copy_file *copy)
{
    int fd = -EEXIST;
    copy->temporary = malloc(sizeof SPT_DISK_FILE_PREFIX + 16);
    for (int i = 0; i < NAMES_TRIED && fd == -EEXIST; i++) {
        uint64_t number;
        if (!copy->temporary)
            return -ENOMEM;
        if (getrandom(&number, sizeof number, 0) != sizeof number)
            return -EIO;
        sprintf(copy->temporary, SPT_DISK_FILE_PREFIX "%016llx", (unsigned long long)number);
        fd = create(copy->at, copy->temporary);
    }
    return fd;
}

int spt_copy_file_begin(struct spt_copy_file *copy, int from, int at, const char *name,
                        bool overwrite)
{
    struct stat st, there;
    copy->from = from;
    copy->at = at;
    copy->name = strdup(name);
    int rc = fstat(from, &st) == 0 ? (copy->name ? 0 : -ENOMEM) : -errno;
    if (rc == 0) {
        copy->mode = st.st_mode & 0777;
        const bool is_there = fstatat(at, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
        rc = !is_there                ? create(at, name)
             : !overwrite             ? -EEXIST
             : S_ISDIR(there.st_mode) ? -EISDIR
                                      : create_temporary(copy);
    }
    if (rc < 0)
        release(copy);
    else
        copy->to = rc;
    return rc < 0 ? rc : 0;
}

/* Writes n bytes. Returns 0 or a negative errno. */
static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        long written = SPT_FS_RETRY(write(fd, bytes, n));
        if (written <= 0)
            return written < 0 ? (int)written : -EIO;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

static long copy_piece(struct spt_copy_file *copy)
{
    char *piece = malloc(PIECE);
    if (!piece)
        return -ENOMEM;
    long n = SPT_FS_RETRY(read(copy->from, piece, PIECE));
    int rc = n > 0 ? write_all(copy->to, piece, (size_t)n) : 0;
    free(piece);
    return rc ? rc : n;
}

/* Returns true if the kernel may not copy these files in this way. */
static bool cannot(long error)
{
    switch (error) {
    case -EXDEV:
    case -EINVAL:
    case -ENOSYS:
    case -EOPNOTSUPP:
    case -EBADF:
    case -EPERM:
    case -ETXTBSY:
        return true;
    default:
        return false;
    }
}

/* Copies some bytes. Returns their number, 0 at the end, or a negative errno. A file of /proc has
 * bytes but no size, and then the kernel copies nothing. */
static long copy_by_way(struct spt_copy_file *copy)
{
    long n = 0;
    if (copy->way == SPT_COPY_READ)
        return copy_piece(copy);
    if (copy->way == SPT_COPY_RANGE)
        n = SPT_FS_RETRY(copy_file_range(copy->from, NULL, copy->to, NULL, AT_ONCE, 0));
    else
        n = SPT_FS_RETRY(sendfile(copy->to, copy->from, NULL, AT_ONCE));
    if (n > 0 || (n == 0 && copy->copied > 0) || (n < 0 && !cannot(n)))
        return n;
    copy->way++;
    return copy_by_way(copy);
}

/* Gives the copy its permissions and its name. */
static int finish(struct spt_copy_file *copy)
{
    int rc = fchmod(copy->to, copy->mode) == 0 ? 0 : -errno;
    if (rc == 0 && copy->temporary &&
        renameat(copy->at, copy->temporary, copy->at, copy->name) != 0)
        rc = -errno;
    if (rc == 0) {
        rc = close(copy->to) == 0 || errno == EINTR ? 0 : -errno;
        copy->to = -1;
    }
    return rc;
}

int spt_copy_file_some(struct spt_copy_file *copy)
{
    const uint64_t until = spt_fs_now() + SPT_FS_SLICE_NS;
    long n;
    do {
        n = copy_by_way(copy);
        copy->copied += n > 0 ? n : 0;
    } while (n > 0 && spt_fs_now() < until);
    if (n > 0)
        return SPT_FS_MORE;
    if (n == 0)
        n = finish(copy);
    if (n == 0)
        release(copy);
    else
        spt_copy_file_drop(copy);
    return (int)n;
}
