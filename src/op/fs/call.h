/* SPDX-License-Identifier: MIT */
/* The wait for a call of fs/, which may take several steps in the thread pool. It knows no kind of
 * call. */
#ifndef SPT_OP_FS_CALL_H
#define SPT_OP_FS_CALL_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "fs/call.h"
#include "fs/stat.h"
#include "op/job.h"

struct spt_fs_wait {
    struct spt_job_wait wait;
    /* Prepares the next step. Returns false if there is no memory. NULL: there is nothing to do. */
    bool (*feed)(struct spt_fs_wait *wait);
    const char *bytes; /* for `feed`; kept alive by the stack of the function that waits */
    size_t len;
};

extern const septet_op_type spt_fs_wait_type;

/* Makes the wait, before the call is made. Raises Usage or out of memory. It may push one value,
 * which must stay. `push` runs once the call has succeeded; NULL: there are no results. */
struct spt_fs_wait *spt_fs_wait_new(lua_State *L, spt_job_push *push);

/* Does all steps of the call, which it owns, and waits for the end. Raises IoError if it fails, and
 * out of memory if `call` is NULL. Once the wait is cancelled, the call undoes what is half
 * done. */
int spt_fs_await(lua_State *L, struct spt_fs_wait *wait, struct spt_fs_call *call);

/* Pushes an IoError for a negative errno. `verb` says what failed. */
void spt_fs_push_error(lua_State *L, const char *verb, const char *path, int error);

/* Returns the path at `arg`, if the embedder permits its use for `what`; else raises IoError. A
 * path without a byte, or with a NUL, is a mistake. */
const char *spt_fs_check_path(lua_State *L, int arg, int what, const char *verb);

/* Sets what is known of a file in the table on top of the stack. */
void spt_fs_set_stat(lua_State *L, const struct spt_fs_stat *st);

#endif
