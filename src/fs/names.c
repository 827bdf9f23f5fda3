/* SPDX-License-Identifier: MIT */
/* Reads with readdir(), by a descriptor of its own. */
#include "fs/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "septet/septet.h"

enum { PIECE = 64 * 1024, SETTLED_MAX = 4 * 1024 * 1024 }; /* bytes */

void spt_names_init(struct spt_names *names)
{
    *names = (struct spt_names){0};
    spt_buf_init(&names->bytes, SIZE_MAX);
}

static void close_rest(struct spt_names *names)
{
    if (names->rest)
        closedir(names->rest);
    names->rest = NULL;
}

void spt_names_release(struct spt_names *names)
{
    close_rest(names);
    spt_buf_release(&names->bytes);
    names->at = 0;
}

static int add(struct spt_names *names, const struct dirent *entry)
{
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    size_t len = strlen(name) + 1;
    if (spt_buf_reserve(&names->bytes, len + 1) != SEPTET_OK)
        return -ENOMEM;
    names->bytes.data[names->bytes.len] = (char)entry->d_type;
    memcpy(names->bytes.data + names->bytes.len + 1, name, len);
    names->bytes.len += len + 1;
    return 0;
}

/* Reads names until `bytes` has `most` bytes. */
static int fill(struct spt_names *names, size_t most)
{
    int rc = 0;
    while (rc == 0 && names->rest && names->bytes.len < most) {
        errno = 0;
        const struct dirent *entry = readdir(names->rest);
        if (entry)
            rc = add(names, entry);
        else {
            rc = -errno;
            close_rest(names);
        }
    }
    return rc;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

static int sort(struct spt_names *names)
{
    size_t count = 0, n = 0;
    struct spt_buf sorted;
    char *end = names->bytes.data + names->bytes.len;
    for (char *p = names->bytes.data; p < end; p += strlen(p + 1) + 2)
        count++;
    if (count == 0)
        return 0;
    char **list = malloc(count * sizeof *list);
    spt_buf_init(&sorted, SIZE_MAX);
    int rc = list && spt_buf_reserve(&sorted, names->bytes.len) == SEPTET_OK ? 0 : -ENOMEM;
    for (char *p = names->bytes.data; rc == 0 && p < end; p += strlen(p + 1) + 2)
        list[n++] = p;
    if (n > 0)
        qsort(list, n, sizeof *list, compare);
    for (size_t i = 0; i < n; i++)
        spt_buf_append(&sorted, list[i], strlen(list[i] + 1) + 2);
    free(list);
    if (rc) {
        spt_buf_release(&sorted);
        return rc;
    }
    spt_buf_release(&names->bytes);
    names->bytes = sorted;
    return 0;
}

int spt_names_begin(struct spt_names *names, int fd, bool sorted)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    if (own < 0)
        return -errno;
    names->rest = fdopendir(own);
    if (!names->rest) {
        int error = errno;
        close(own);
        return -error;
    }
    int rc = fill(names, sorted ? SIZE_MAX : PIECE);
    return rc == 0 && sorted ? sort(names) : rc;
}

int spt_names_next(struct spt_names *names, const char **name, unsigned char *type)
{
    if (names->at == names->bytes.len) {
        names->at = names->bytes.len = 0;
        int rc = fill(names, PIECE);
        if (rc)
            return rc;
        if (names->bytes.len == 0)
            return 0;
    }
    const char *entry = names->bytes.data + names->at;
    *type = (unsigned char)entry[0];
    *name = entry + 1;
    names->at += strlen(*name) + 2;
    return 1;
}

int spt_names_settle(struct spt_names *names)
{
    struct spt_buf *bytes = &names->bytes;
    if (!names->rest || bytes->len - names->at >= SETTLED_MAX)
        return 0;
    if (names->at > 0) {
        memmove(bytes->data, bytes->data + names->at, bytes->len - names->at);
        bytes->len -= names->at;
        names->at = 0;
    }
    return fill(names, SETTLED_MAX);
}
