/* SPDX-License-Identifier: MIT */
/* fs_read, fs_write: whole files. The bytes to be written go to the pool in pieces, so that none of
 * them must outlive the wait. */
#include "fs/file.h"

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "op/env.h"
#include "op/fs/call.h"
#include "op/fs/openers.h"

enum { PATH = 1, MAX, SPECIAL };                     /* the stack of l_read */
enum { DATA = 2, KIND, SYNC, MODE, WRITES_SPECIAL }; /* the stack of l_write, after PATH */

static int push_bytes(lua_State *L, struct spt_job *job)
{
    const struct spt_buf *bytes = &SPT_OF(job, struct spt_fs_read, call.job)->bytes;
    lua_pushlstring(L, bytes->data ? bytes->data : "", bytes->len);
    return 1;
}

/* fs_read(path, max, special): returns the bytes of a file, at most `max`. */
static int l_read(lua_State *L)
{
    const char *path = spt_fs_check_path(L, PATH, SEPTET_PERMIT_READ, "read");
    const size_t max = (size_t)spt_check_count(L, MAX, 0);
    const bool special = lua_toboolean(L, SPECIAL);
    struct spt_fs_wait *wait = spt_fs_wait_new(L, push_bytes);
    struct spt_fs_read *read = spt_fs_read_new(path, max, special);
    return spt_fs_await(L, wait, read ? &read->call : NULL);
}

static bool feed(struct spt_fs_wait *wait)
{
    struct spt_fs_write *w = SPT_OF(wait->wait.job, struct spt_fs_write, call.job);
    const size_t n = wait->len < SPT_DISK_FILE_CHUNK ? wait->len : SPT_DISK_FILE_CHUNK;
    w->file.buf.len = 0;
    if (spt_buf_append(&w->file.buf, wait->bytes, n) != SEPTET_OK)
        return false;
    wait->bytes += n;
    wait->len -= n;
    w->last = wait->len == 0;
    return true;
}

/* fs_write(path, data, kind, sync, mode, special): writes a file. `kind` is "atomic", "in place" or
 * "append". */
static int l_write(lua_State *L)
{
    static const char *const kinds[] = {"atomic", "in place", "append", NULL};
    size_t len;
    const char *path = spt_fs_check_path(L, PATH, SEPTET_PERMIT_WRITE, "write");
    const char *bytes = spt_check_string(L, DATA, &len);
    const int kind = luaL_checkoption(L, KIND, NULL, kinds);
    const bool sync = lua_toboolean(L, SYNC), special = lua_toboolean(L, WRITES_SPECIAL);
    const int mode = lua_isnil(L, MODE) ? -1 : (int)(spt_check_count(L, MODE, 0) & 07777);
    struct spt_fs_wait *wait = spt_fs_wait_new(L, NULL);
    struct spt_fs_write *w = spt_fs_write_new(path, (enum spt_fs_write_kind)kind, sync, mode);
    wait->feed = feed;
    wait->bytes = bytes;
    wait->len = len;
    if (w)
        w->special = special;
    return spt_fs_await(L, wait, w ? &w->call : NULL);
}

void spt_open_fs_file(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"fs_read", l_read}, {"fs_write", l_write}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
}
