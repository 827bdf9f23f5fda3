/* SPDX-License-Identifier: MIT */
/* Copies values from one Lua state into another by way of bytes: nil, booleans, numbers, strings,
 * and tables of them without a metatable. A table that occurs twice is one table in the copy, too,
 * so circles are kept. It knows no thread. */
#ifndef SPT_OP_THREAD_PACK_H
#define SPT_OP_THREAD_PACK_H

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"

/* Why a value cannot be copied. */
struct spt_pack_refusal {
    int value;     /* its number, from 1 on */
    char what[48]; /* what it is, or what is in it: "a function" */
    char at[96];   /* where in it, ".a[3]"; "" if it is the value itself */
};

/* Appends copies of the values from index `first` to the top. Returns SEPTET_OK, SEPTET_ENOMEM, or
 * SEPTET_EINVAL with the refusal filled in. Calls no metamethod. May raise Lua's errors of
 * memory. */
int spt_pack_values(lua_State *L, int first, struct spt_buf *out, struct spt_pack_refusal *refusal);

/* Pushes the values that were packed and returns their number. May raise Lua's errors of memory,
 * and of a stack that is too small. */
int spt_pack_push(lua_State *L, const struct spt_buf *packed);

#endif
