/* SPDX-License-Identifier: MIT */
/* Follows the links to a target one by one, because realpath fails for a name that does not
 * exist. */
#include "loop/target.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { LINKS_MAX = 40, RIGHTS = 0777 };

static int judge(const struct stat *st)
{
    return S_ISREG(st->st_mode) ? 0 : S_ISDIR(st->st_mode) ? UV_EISDIR : UV_EINVAL;
}

/* Returns the path that the link at `path` leads to, to be freed, or NULL with an error in `rc`. */
static char *follow(const char *path, int *rc)
{
    char text[PATH_MAX];
    ssize_t n = readlink(path, text, sizeof text - 1);
    if (n < 0) {
        *rc = uv_translate_sys_error(errno);
        return NULL;
    }
    text[n] = '\0';
    const char *slash = text[0] == '/' ? NULL : strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    char *next = malloc(folder + (size_t)n + 1);
    if (!next) {
        *rc = UV_ENOMEM;
        return NULL;
    }
    memcpy(next, path, folder);
    memcpy(next + folder, text, (size_t)n + 1);
    return next;
}

int spt_target_resolve(const char *path, char **target)
{
    struct stat st;
    int rc = 0;
    char *name = strdup(path);
    if (!name)
        return UV_ENOMEM;
    for (int links = 0; rc == 0; links++) {
        if (lstat(name, &st) != 0)
            rc = errno == ENOENT ? 0 : uv_translate_sys_error(errno);
        else if (!S_ISLNK(st.st_mode))
            rc = judge(&st);
        else if (links < LINKS_MAX) {
            char *next = follow(name, &rc);
            free(name);
            name = next;
            continue;
        } else
            rc = UV_ELOOP;
        break;
    }
    if (rc == 0)
        *target = name;
    else
        free(name);
    return rc;
}

int spt_target_judge(const char *target)
{
    struct stat st;
    if (lstat(target, &st) != 0)
        return errno == ENOENT ? 0 : uv_translate_sys_error(errno);
    return S_ISLNK(st.st_mode) ? 0 : judge(&st);
}

/* Returns the process's umask. Linux shows it in /proc; elsewhere it can only be read by setting
 * it, which other threads may notice. */
static mode_t current_umask(void)
{
    unsigned mask = 0;
    char line[256];
    bool found = false;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "Umask: %o", &mask) == 1;
    if (file)
        fclose(file);
    if (found)
        return (mode_t)mask;
    mode_t set = umask(RIGHTS);
    umask(set);
    return set;
}

mode_t spt_target_mode(const char *target)
{
    struct stat st;
    if (lstat(target, &st) == 0 && S_ISREG(st.st_mode))
        return st.st_mode & RIGHTS;
    return 0666 & ~current_umask();
}

int spt_target_check_own(const struct stat *st)
{
    if (st->st_uid != geteuid())
        return UV_EPERM;
    return st->st_nlink == 1 ? 0 : UV_EMLINK;
}
