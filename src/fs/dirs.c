/* SPDX-License-Identifier: MIT */
/* Opens a closed folder by the ".." of the one inside it, or by its names from the root. */
#include "fs/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "septet/septet.h"

enum { OPEN_MAX_LEVELS = 32 };

void spt_dirs_init(struct spt_dirs *dirs)
{
    *dirs = (struct spt_dirs){.open_from = 1};
    spt_buf_init(&dirs->path, SIZE_MAX);
}

int spt_dirs_open(int at, const char *name, bool by_link)
{
    int fd;
    do {
        fd = openat(at, name,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                        (by_link ? 0 : O_NOFOLLOW));
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static void close_level(struct spt_dirs_level *level)
{
    if (level->fd >= 0)
        close(level->fd);
    level->fd = -1;
}

/* Closes the shallowest open folder below the root and above the top. Returns false if there is
 * none. */
static bool close_one(struct spt_dirs *dirs)
{
    if (dirs->open_from + 1 >= dirs->depth)
        return false;
    close_level(&dirs->levels[dirs->open_from++]);
    return true;
}

static int make_room(struct spt_dirs *dirs)
{
    if (dirs->depth < dirs->cap)
        return 0;
    size_t cap = dirs->cap ? 2 * dirs->cap : 16;
    struct spt_dirs_level *levels = realloc(dirs->levels, cap * sizeof *levels);
    if (!levels)
        return -ENOMEM;
    dirs->levels = levels;
    dirs->cap = cap;
    return 0;
}

/* Appends a name to the path of the top. */
static int extend_path(struct spt_dirs *dirs, const char *name)
{
    struct spt_buf *path = &dirs->path;
    path->len = dirs->depth ? spt_dirs_top(dirs)->path_len : 0;
    const bool slash = path->len > 0 && path->data[path->len - 1] != '/';
    if (slash && spt_buf_append(path, "/", 1) != SEPTET_OK)
        return -ENOMEM;
    size_t len = strlen(name);
    if (spt_buf_append(path, name, len + 1) != SEPTET_OK)
        return -ENOMEM;
    path->len--;
    return 0;
}

/* Pushes a level, of which it owns the descriptor also after an error. */
static int push(struct spt_dirs *dirs, int fd, const char *name, bool by_link)
{
    struct stat st;
    int rc = fstat(fd, &st) == 0 ? make_room(dirs) : -errno;
    if (rc == 0)
        rc = extend_path(dirs, name);
    if (rc) {
        close(fd);
        return rc;
    }
    dirs->levels[dirs->depth++] = (struct spt_dirs_level){.fd = fd,
                                                          .by_link = by_link,
                                                          .dev = st.st_dev,
                                                          .ino = st.st_ino,
                                                          .path_len = dirs->path.len};
    return 0;
}

int spt_dirs_begin(struct spt_dirs *dirs, int fd, const char *path)
{
    return push(dirs, fd, path, false);
}

bool spt_dirs_spare(struct spt_dirs *dirs, int error)
{
    return (error == -EMFILE || error == -ENFILE) && close_one(dirs);
}

/* Opens a folder. If descriptors are short, does with fewer open folders. */
static int open_in(struct spt_dirs *dirs, int at, const char *name, bool by_link)
{
    int fd;
    do {
        fd = spt_dirs_open(at, name, by_link);
    } while (spt_dirs_spare(dirs, fd));
    return fd;
}

int spt_dirs_enter(struct spt_dirs *dirs, const char *name, bool by_link)
{
    int fd = open_in(dirs, spt_dirs_top(dirs)->fd, name, by_link);
    if (fd < 0)
        return fd;
    int rc = push(dirs, fd, name, by_link);
    if (rc == 0 && dirs->depth - dirs->open_from > OPEN_MAX_LEVELS)
        close_one(dirs);
    return rc;
}

static bool is_level(int fd, const struct spt_dirs_level *level)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_dev == level->dev && st.st_ino == level->ino;
}

/* Opens the folder `level` by the names from the root. Returns its descriptor or a negative
 * errno. */
static int open_by_names(struct spt_dirs *dirs, size_t level)
{
    int fd = dirs->levels[0].fd;
    char *path = dirs->path.data;
    for (size_t i = 1; i <= level && fd >= 0; i++) {
        size_t from = dirs->levels[i - 1].path_len, to = dirs->levels[i].path_len;
        const char kept = path[to];
        from += path[from] == '/';
        path[to] = '\0';
        int next = spt_dirs_open(fd, path + from, dirs->levels[i].by_link);
        path[to] = kept;
        if (fd != dirs->levels[0].fd)
            close(fd);
        fd = next;
    }
    return fd;
}

int spt_dirs_leave(struct spt_dirs *dirs)
{
    struct spt_dirs_level *left = spt_dirs_top(dirs);
    struct spt_dirs_level *top = left - 1;
    int rc = 0;
    dirs->path.data[left->path_len] = '\0'; /* a deeper path may have been here */
    if (top->fd < 0) {
        const bool climbs = left->fd >= 0 && !left->by_link;
        int fd = climbs ? spt_dirs_open(left->fd, "..", false) : -ENOENT;
        if (fd >= 0 && !is_level(fd, top)) {
            close(fd);
            fd = -ENOENT;
        }
        if (fd < 0) {
            close_level(left); /* it may be the descriptor that is missing */
            fd = open_by_names(dirs, dirs->depth - 2);
        }
        if (fd >= 0 && !is_level(fd, top)) {
            close(fd);
            fd = -ENOENT;
        }
        top->fd = fd >= 0 ? fd : -1;
        rc = fd >= 0 ? 0 : fd;
    }
    close_level(left);
    dirs->depth--;
    if (dirs->open_from >= dirs->depth)
        dirs->open_from = dirs->depth > 1 ? dirs->depth - 1 : 1;
    return rc;
}

void spt_dirs_release(struct spt_dirs *dirs)
{
    for (size_t i = 0; i < dirs->depth; i++)
        close_level(&dirs->levels[i]);
    free(dirs->levels);
    spt_buf_release(&dirs->path);
    spt_dirs_init(dirs);
}

bool spt_dirs_is_loop(const struct spt_dirs *dirs)
{
    const struct spt_dirs_level *top = spt_dirs_top(dirs);
    for (const struct spt_dirs_level *level = dirs->levels; level < top; level++)
        if (level->ino == top->ino && level->dev == top->dev)
            return true;
    return false;
}
