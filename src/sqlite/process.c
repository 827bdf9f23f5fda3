/* SPDX-License-Identifier: MIT */
/* Reads /proc. The instant at which a process began tells it from a later one with its number. */
#include "sqlite/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATE = 3, START = 22 }; /* fields of /proc/PID/stat, from 1 */

/* Reads the beginning of a file as text. Returns false if that fails. */
static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n < 0)
        return false;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return true;
}

/* Returns when a process began, in ticks since the boot; 0 if it has ended, or -1 if that is not
 * known. */
static sqlite3_int64 start_of(sqlite3_int64 pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    if (!read_text(path, text, sizeof text))
        return pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH ? 0 : -1;
    const char *at = strrchr(text, ')'); /* behind the name, which may hold anything */
    if (!at)
        return -1;
    at += 2;
    if (*at == 'Z' || *at == 'X')
        return 0;
    for (int field = STATE; field < START; field++) {
        at = strchr(at, ' ');
        if (!at)
            return -1;
        at++;
    }
    return strtoll(at, NULL, 10);
}

/* What tells this process from those of other boots and of other spaces of numbers. */
struct own {
    char boot[64];
    char space[64];
};

static void fill(struct own *own)
{
    if (!read_text("/proc/sys/kernel/random/boot_id", own->boot, sizeof own->boot))
        own->boot[0] = '\0';
    ssize_t n = readlink("/proc/self/ns/pid", own->space, sizeof own->space - 1);
    own->space[n < 0 ? 0 : n] = '\0';
}

static void fn_id(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    sqlite3_result_int64(ctx, getpid());
}

static void fn_start(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    sqlite3_result_int64(ctx, start_of(getpid()));
}

static void fn_space(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    const struct own *own = sqlite3_user_data(ctx);
    sqlite3_result_text(ctx, own->space, -1, SQLITE_TRANSIENT);
}

static void fn_boot(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    const struct own *own = sqlite3_user_data(ctx);
    sqlite3_result_text(ctx, own->boot, -1, SQLITE_TRANSIENT);
}

/* Returns true if a value is a text that is not empty, and another one than `own`. */
static bool differs(sqlite3_value *value, const char *own)
{
    const char *text = (const char *)sqlite3_value_text(value);
    return text && text[0] && own[0] && strcmp(text, own) != 0;
}

static void fn_runs(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    const struct own *own = sqlite3_user_data(ctx);
    if (differs(values[3], own->boot)) {
        sqlite3_result_int(ctx, 0);
    } else if (differs(values[2], own->space)) {
        sqlite3_result_int(ctx, 1);
    } else {
        const sqlite3_int64 start = start_of(sqlite3_value_int64(values[0]));
        const sqlite3_int64 known = sqlite3_value_int64(values[1]);
        sqlite3_result_int(ctx, start < 0 || known < 0 || start == known);
    }
}

static int add(sqlite3 *db, const char *name, int values,
               void (*fn)(sqlite3_context *ctx, int n, sqlite3_value **values))
{
    struct own *own = malloc(sizeof *own);
    if (!own)
        return SQLITE_NOMEM;
    fill(own);
    return sqlite3_create_function_v2(db, name, values, SQLITE_UTF8 | SQLITE_DIRECTONLY, own, fn,
                                      NULL, NULL, free);
}

int spt_sqlite_process_register(sqlite3 *db)
{
    int rc = add(db, "process_id", 0, fn_id);
    if (rc == SQLITE_OK)
        rc = add(db, "process_start", 0, fn_start);
    if (rc == SQLITE_OK)
        rc = add(db, "process_space", 0, fn_space);
    if (rc == SQLITE_OK)
        rc = add(db, "boot_id", 0, fn_boot);
    return rc == SQLITE_OK ? add(db, "process_runs", 4, fn_runs) : rc;
}
