/* SPDX-License-Identifier: MIT */
/* A recording is a file of the trace's blocks. It is written once a turn, and in the middle of
 * one before the ring overwrites what is new. What was written survives the death of the
 * process. */
#include "lua/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/trace.h"
#include "core/trace_block.h"
#include "lua/lib.h"
#include "lua/trace_readers.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"

#define META "septet.recording"

enum { VERSION = 1 }; /* of the file's format */

struct recording {
    struct spt_link link; /* in the readers' recordings, while it is open */
    struct spt_resource resource;
    struct spt_trace_readers *readers; /* borrowed; NULL once it is closed */
    int fd;                            /* owned; -1 once it is closed */
    int level;
    int error; /* errno of the write that failed; 0: none did */
    bool reported;
    uint64_t cursor;
};

struct file_head {
    char magic[4];
    uint16_t version, unit;
    uint32_t meta; /* number of bytes of text that follow */
};
_Static_assert(sizeof(struct file_head) == 12, "the head is written as it is");

/* --- writing --- */

/* Writes all of it. Returns 0 or an errno. */
static int write_all(int fd, const struct spt_block_piece *pieces, unsigned n)
{
    struct iovec iov[SPT_BLOCK_PIECES];
    for (unsigned i = 0; i < n; i++)
        iov[i] = (struct iovec){(void *)pieces[i].bytes, pieces[i].size};
    for (struct iovec *at = iov; n > 0;) {
        ssize_t wrote = writev(fd, at, (int)n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return errno;
        for (; n > 0 && (size_t)wrote >= at->iov_len; at++, n--)
            wrote -= (ssize_t)at->iov_len;
        if (n > 0) {
            at->iov_base = (char *)at->iov_base + wrote;
            at->iov_len -= (size_t)wrote;
        }
    }
    return 0;
}

static void write_new(struct recording *r)
{
    struct spt_block_piece pieces[SPT_BLOCK_PIECES];
    const struct spt_trace *tr = &r->readers->env->sched->trace;
    while (!r->error && spt_trace_block_fill(r->readers->file_block, tr, &r->cursor, pieces))
        r->error = write_all(r->fd, pieces, SPT_BLOCK_PIECES);
}

void spt_trace_file_write(struct spt_trace_readers *readers)
{
    for (struct spt_link *l = readers->recordings.next; l != &readers->recordings; l = l->next)
        write_new(SPT_OF(l, struct recording, link));
}

void spt_trace_file_report(struct spt_trace_readers *readers)
{
    struct spt_sched *s = readers->env->sched;
    for (struct spt_link *l = readers->recordings.next; l != &readers->recordings; l = l->next) {
        struct recording *r = SPT_OF(l, struct recording, link);
        char text[160] = "the recording of the trace ends: ";
        if (!r->error || r->reported)
            continue;
        r->reported = true;
        strncat(text, strerror(r->error), sizeof text - strlen(text) - 1);
        s->hooks.warn(s->hooks.ud, text);
    }
}

static void on_spill(void *ud)
{
    spt_trace_file_write(ud);
}

/* --- opening and closing --- */

/* Sets the level that the recordings need. */
static void set_level(struct spt_trace_readers *readers)
{
    readers->files_level = 0;
    for (struct spt_link *l = readers->recordings.next; l != &readers->recordings; l = l->next) {
        const struct recording *r = SPT_OF(l, struct recording, link);
        if (r->level > readers->files_level)
            readers->files_level = r->level;
    }
    spt_trace_readers_set_level(readers);
}

/* Closes the file. Its error remains. */
static void end(struct recording *r)
{
    struct spt_trace_readers *readers = r->readers;
    if (!readers)
        return;
    write_new(r);
    spt_link_remove(&r->link);
    spt_link_remove(&r->resource.link);
    r->readers = NULL;
    if (close(r->fd) != 0 && !r->error)
        r->error = errno;
    r->fd = -1;
    if (spt_list_is_empty(&readers->recordings))
        spt_trace_set_spill(&readers->env->sched->trace, NULL, NULL);
    set_level(readers);
}

static void on_host_end(struct spt_resource *resource)
{
    end(SPT_OF(resource, struct recording, resource));
}

static int open_file(const char *path)
{
    int fd;
    do {
        /* not blocked by a pipe that nobody reads */
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static int write_head(int fd, const char *meta, size_t len)
{
    struct file_head head = {
        .magic = "SPTR", .version = VERSION, .unit = sizeof(struct spt_rec), .meta = (uint32_t)len};
    const struct spt_block_piece pieces[] = {{&head, sizeof head}, {meta, len}};
    return write_all(fd, pieces, 2);
}

/* trace_file(path, meta, level): begins to record to a file, from the present on. `meta` is the
 * text at its head, lines of "key=value"; the process's number is added. Returns the recording.
 * Raises IoError. */
static int l_file(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_trace_readers *readers = env->trace_readers;
    size_t len;
    const char *path = spt_check_string(L, 1, NULL);
    lua_pushfstring(L, "pid=%d\n%s", (int)getpid(), spt_check_string(L, 2, NULL));
    const char *meta = lua_tolstring(L, -1, &len);
    int level = (int)spt_check_count(L, 3, 1);
    if (!readers)
        return spt_error_usage(L, "the host is closed");
    spt_gate_check(L, env, SEPTET_PERMIT_WRITE, "open", path);
    struct recording *r = lua_newuserdatauv(L, sizeof *r, 0);
    *r = (struct recording){.fd = -1, .level = level, .resource.release = on_host_end};
    luaL_setmetatable(L, META);
    if (!readers->file_block && !(readers->file_block = calloc(1, sizeof *readers->file_block)))
        return luaL_error(L, "not enough memory");
    int fd = open_file(path), error = fd < 0 ? errno : write_head(fd, meta, len);
    if (error) {
        if (fd >= 0)
            close(fd);
        return spt_io_error_raise(L, "open", path, uv_translate_sys_error(error), NULL);
    }
    r->fd = fd;
    r->readers = readers;
    spt_link_init(&r->link);
    spt_link_init(&r->resource.link);
    spt_env_add(env, &r->resource);
    spt_list_push(&readers->recordings, &r->link);
    set_level(readers);
    spt_trace_set_spill(&env->sched->trace, on_spill, readers);
    r->cursor = spt_trace_readers_begin(readers);
    return 1;
}

/* recording:close(): writes the rest and closes the file. Raises IoError if anything was lost. */
static int l_close(lua_State *L)
{
    struct recording *r = spt_check_self(L, "recording");
    end(r);
    if (!r->error)
        return 0;
    int error = r->error;
    r->error = 0;
    return spt_io_error_raise(L, "write", "the trace", uv_translate_sys_error(error), NULL);
}

static int l_gc(lua_State *L)
{
    end(lua_touserdata(L, 1));
    return 0;
}

static const luaL_Reg methods[] = {
    {"close", l_close}, {"__close", l_gc}, {"__gc", l_gc}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"trace_file", l_file}, {NULL, NULL}};

void spt_open_trace_file(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
