/* SPDX-License-Identifier: MIT */
/* Waits by an operation that the callbacks of the command complete. */
#include "change.h"

#include <septet/op.h>
#include <stdatomic.h>
#include <stddef.h>

static septet_op *waiting; /* NULL: no task waits */
static atomic_int changes; /* CHANGE_... since the last wait */

void change_note(int change)
{
    atomic_fetch_or(&changes, change);
}

void change_deliver(void)
{
    septet_op *op = waiting;
    if (op == NULL || changes == 0)
        return;
    waiting = NULL;
    septet_op_done(op, SEPTET_OK);
}

static int start(septet_op *op)
{
    waiting = op;
    change_deliver(); /* one that came before */
    return SEPTET_OK;
}

static void cancel(septet_op *op)
{
    waiting = NULL;
}

static int push(septet_op *op, lua_State *L)
{
    lua_pushboolean(L, atomic_exchange(&changes, 0) & CHANGE_CONTINUED);
    return 1;
}

/* It is not external: the prompt alone does not keep a virtual clock from moving. */
static const septet_op_type change_type = {
    .name = "terminal",
    .size = sizeof(septet_op),
    .abi = SEPTET_OP_ABI,
    .start = start,
    .cancel = cancel,
    .push = push,
};

int change_await(lua_State *L)
{
    return septet_op_await(L, septet_op_new(L, &change_type));
}
