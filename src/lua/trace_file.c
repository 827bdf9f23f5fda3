/* SPDX-License-Identifier: MIT */
/* A recording is a file of the trace's blocks. It is written once a turn, and in the middle of
 * one before the ring overwrites what is new. What was written survives the death of the
 * process. */
#include "lua/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/trace.h"
#include "lua/trace_block.h"
#include "lua/lib.h"
#include "lua/trace_readers.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"

#define META "septet.recording"

/* Registry: a table of the recordings that are open, which nobody may hold. */
#define OPEN "septet.trace.recordings"

enum { VERSION = 1 }; /* of the file's format */

struct recording {
    struct spt_link link; /* in the readers' recordings, while it is open */
    struct spt_resource resource;
    struct spt_trace_readers *readers; /* borrowed; NULL once it is closed */
    int fd;                            /* owned; -1 once it is closed */
    pid_t pid;                         /* the process that records: no child of it does */
    int level;
    int error;        /* a libuv error: of the write that failed; 0: none did */
    bool reported;    /* a warning has named the error */
    uint64_t size;    /* bytes of the file, in complete blocks */
    uint64_t cursor;  /* in the ring */
    uint64_t missing; /* with an error, once it is closed: number of records behind the cursor */
    char path[];
};

struct file_head {
    char magic[4];
    uint16_t version, unit;
    uint32_t meta; /* number of bytes of text that follow */
};
_Static_assert(sizeof(struct file_head) == 12, "the head is written as it is");

/* --- writing --- */

/* Writes all of it. Returns 0, or a libuv error. */
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
            return uv_translate_sys_error(errno);
        for (; n > 0 && (size_t)wrote >= at->iov_len; at++, n--)
            wrote -= (ssize_t)at->iov_len;
        if (n > 0) {
            at->iov_base = (char *)at->iov_base + wrote;
            at->iov_len -= (size_t)wrote;
        }
    }
    return 0;
}

/* Appends a block, or none of it. */
static bool write_block(struct recording *r, const struct spt_block_piece *pieces)
{
    r->error = write_all(r->fd, pieces, SPT_BLOCK_PIECES);
    if (r->error) {
        /* else the block that begins in the rest of it would be lost, too */
        (void)!ftruncate(r->fd, (off_t)r->size);
        return false;
    }
    for (unsigned i = 0; i < SPT_BLOCK_PIECES; i++)
        r->size += pieces[i].size;
    return true;
}

static void write_new(struct recording *r)
{
    struct spt_block_piece pieces[SPT_BLOCK_PIECES];
    const struct spt_trace *tr = &r->readers->env->sched->trace;
    if (r->error || r->pid != getpid())
        return;
    for (uint64_t next = r->cursor;; r->cursor = next)
        if (!spt_trace_block_fill(r->readers->file_block, tr, &next, tr->head, pieces) ||
            !write_block(r, pieces))
            return;
}

void spt_trace_file_write(struct spt_trace_readers *readers)
{
    for (struct spt_link *l = readers->recordings.next; l != &readers->recordings; l = l->next)
        write_new(SPT_OF(l, struct recording, link));
}

static void on_spill(void *ud)
{
    spt_trace_file_write(ud);
}

/* Sets the level that the recordings need which still write. */
static void set_level(struct spt_trace_readers *readers)
{
    readers->files_level = 0;
    for (struct spt_link *l = readers->recordings.next; l != &readers->recordings; l = l->next) {
        const struct recording *r = SPT_OF(l, struct recording, link);
        if (!r->error && r->level > readers->files_level)
            readers->files_level = r->level;
    }
    spt_trace_readers_set_level(readers);
}

/* --- errors --- */

static void report(struct recording *r, const struct spt_sched *s)
{
    char text[512], words[128];
    r->reported = true;
    uv_strerror_r(r->error, words, sizeof words);
    snprintf(text, sizeof text, "the recording '%.200s' has ended: %s", r->path, words);
    s->hooks.warn(s->hooks.ud, text);
}

/* Returns a recording with an error that is new, or NULL. */
static struct recording *find_failed(struct spt_trace_readers *readers)
{
    for (struct spt_link *l = readers->recordings.next; l != &readers->recordings; l = l->next) {
        struct recording *r = SPT_OF(l, struct recording, link);
        if (r->error && !r->reported)
            return r;
    }
    return NULL;
}

void spt_trace_file_report(struct spt_trace_readers *readers)
{
    struct recording *r = find_failed(readers);
    if (!r)
        return;
    set_level(readers);
    for (; r; r = find_failed(readers)) /* a warning may run a script, which closes some */
        report(r, readers->env->sched);
}

/* --- opening and closing --- */

/* Fails for a file that was removed meanwhile. */
static int check_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 ? UV_ENOENT : 0;
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
    r->missing = readers->env->sched->trace.head - r->cursor;
    if (!r->error)
        r->error = check_file(r->fd);
    if (close(r->fd) != 0 && !r->error)
        r->error = uv_translate_sys_error(errno);
    r->fd = -1;
    if (spt_list_is_empty(&readers->recordings))
        spt_trace_set_spill(&readers->env->sched->trace, NULL, NULL);
    set_level(readers);
}

static void on_host_end(struct spt_resource *resource)
{
    struct recording *r = SPT_OF(resource, struct recording, resource);
    const struct spt_sched *s = r->readers->env->sched;
    end(r);
    if (r->error && !r->reported)
        report(r, s);
}

/* Returns 0 if the file is one to write: of nobody else, and not a pipe, which would hold up the
 * host or end the process. Otherwise returns a libuv error, and sets `words` if it has some. */
static int claim(int fd, const char **words)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return uv_translate_sys_error(errno);
    if (S_ISFIFO(st.st_mode)) {
        *words = "a recording cannot be a pipe";
        return UV_EINVAL;
    }
    if (!S_ISREG(st.st_mode))
        return 0;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        *words = "another recording writes to it";
        return UV_EBUSY;
    }
    return ftruncate(fd, 0) == 0 ? 0 : uv_translate_sys_error(errno);
}

/* Opens a file that only its user can read: traces have URLs. Returns its descriptor, or a libuv
 * error. */
static int open_file(const char *path, const char **words)
{
    int fd;
    do {
        /* not blocked by a pipe that nobody reads */
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    int error = claim(fd, words);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static int write_head(int fd, const char *meta, size_t len)
{
    struct file_head head = {
        .magic = "SPTR", .version = VERSION, .unit = sizeof(struct spt_rec), .meta = (uint32_t)len};
    const struct spt_block_piece pieces[] = {{&head, sizeof head}, {meta, len}};
    return write_all(fd, pieces, 2);
}

/* Returns a new recording, on top of the stack, that is kept by the registry. */
static struct recording *new_recording(lua_State *L, const char *path)
{
    size_t size = strlen(path) + 1;
    struct recording *r = lua_newuserdatauv(L, sizeof *r + size, 0);
    *r = (struct recording){.fd = -1, .resource.release = on_host_end, .pid = getpid()};
    memcpy(r->path, path, size);
    luaL_setmetatable(L, META);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, OPEN);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, r);
    lua_pop(L, 1);
    return r;
}

/* Unanchors the recording, so that it can be collected. */
static void drop(lua_State *L, struct recording *r)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, OPEN);
    lua_pushnil(L);
    lua_rawsetp(L, -2, r);
    lua_pop(L, 1);
}

static void begin(struct recording *r, struct spt_trace_readers *readers)
{
    struct spt_env *env = readers->env;
    spt_trace_file_write(readers); /* the others have the room of a ring from here on */
    r->readers = readers;
    spt_link_init(&r->link);
    spt_link_init(&r->resource.link);
    spt_env_add(env, &r->resource);
    spt_list_push(&readers->recordings, &r->link);
    set_level(readers);
    spt_trace_set_spill(&env->sched->trace, on_spill, readers);
    r->cursor = spt_trace_readers_begin(readers);
}

/* trace_file(path, meta, level): begins to record to a file, from the present on. `meta` is the
 * text at its head, lines of "key=value"; the process's number is added. Returns the recording,
 * which goes on until it is closed, or until the host ends. Raises IoError. */
static int l_file(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    struct spt_trace_readers *readers = env->trace_readers;
    size_t len;
    const char *path = spt_check_string(L, 1, &len), *words = NULL;
    if (strlen(path) != len)
        return spt_error_usage(L, "a NUL in the path");
    lua_pushfstring(L, "pid=%d\n%s", (int)getpid(), spt_check_string(L, 2, NULL));
    const char *meta = lua_tolstring(L, -1, &len);
    int level = (int)spt_check_count(L, 3, 1);
    if (!readers)
        return spt_error_usage(L, "the host is closed");
    if (!env->sched->trace.units)
        return spt_error_usage(L, "the host has no trace to record ('trace_records' is 0)");
    spt_trace_readers_check(L, env, path);
    spt_gate_check(L, env, SEPTET_PERMIT_WRITE, "open", path);
    struct recording *r = new_recording(L, path);
    r->level = level;
    if (!readers->file_block && !(readers->file_block = calloc(1, sizeof *readers->file_block))) {
        drop(L, r);
        return luaL_error(L, "not enough memory");
    }
    r->fd = open_file(path, &words);
    int error = r->fd < 0 ? r->fd : write_head(r->fd, meta, len);
    if (error) {
        if (r->fd >= 0)
            close(r->fd);
        drop(L, r);
        return spt_io_error_raise(L, "open", path, error, words);
    }
    r->size = sizeof(struct file_head) + len;
    begin(r, readers);
    return 1;
}

/* recording:close(): writes the rest and closes the file. Raises IoError, once, if anything was
 * lost. */
static int l_close(lua_State *L)
{
    struct recording *r = spt_check_self(L, "recording");
    char words[128], more[192];
    end(r);
    drop(L, r);
    int error = r->error;
    uint64_t missing = r->missing;
    r->error = 0;
    if (!error)
        return 0;
    uv_strerror_r(error, words, sizeof words);
    if (missing > 0)
        snprintf(more, sizeof more, "%s (%" PRIu64 " records are missing)", words, missing);
    return spt_io_error_raise(L, "write", r->path, error, missing > 0 ? more : words);
}

static int l_gc(lua_State *L)
{
    end(lua_touserdata(L, 1));
    return 0;
}

static const luaL_Reg methods[] = {
    {"close", l_close}, {"__close", l_close}, {"__gc", l_gc}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"trace_file", l_file}, {NULL, NULL}};

void spt_open_trace_file(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
    lua_pushnil(L); /* the recordings of an earlier host of this state */
    lua_setfield(L, LUA_REGISTRYINDEX, OPEN);
}
