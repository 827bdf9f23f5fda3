/* SPDX-License-Identifier: MIT */
/* The userdata of a script's block, and its checks. Private to block.c and block_unwind.c. */
#ifndef SPT_OP_BLOCK_H
#define SPT_OP_BLOCK_H

#include <lua.h>

#include "core/reason.h"
#include "core/scope.h"
#include "core/task.h"
#include "core/traceback.h"

/* The user values of the userdata. */
enum {
    SPT_BLOCK_UV_AROUND = SPT_SCOPE_UV_AROUND,
    SPT_BLOCK_UV_CLOSERS, /* to be closed when its body ends; nil for none */
    SPT_BLOCK_UV_CAUGHT = SPT_SCOPE_UV_CAUGHT,
    SPT_BLOCK_UV_LAST = SPT_SCOPE_UV_REASON
};

/* Returns the scope of the block at index `arg`. */
struct spt_scope *spt_block_check(lua_State *L, int arg);

/* Like spt_block_check(), but also checks that the running task opened the block, that it is open,
 * and that it was opened in the running coroutine. A coroutine must leave open the blocks that were
 * open when it was resumed. */
struct spt_scope *spt_block_check_open(lua_State *L, int arg);

/* Like spt_block_check_open(), but also checks that the block is the innermost one. */
struct spt_scope *spt_block_check_innermost(lua_State *L, int arg);

#endif
