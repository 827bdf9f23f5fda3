/* SPDX-License-Identifier: MIT */
/* Tokens, by which other threads name operations that wait. */
#ifndef SPT_HOST_TOKEN_H
#define SPT_HOST_TOKEN_H

#include "septet/op.h"

/* Takes back the token of an operation that is done or cancelled. `ud` is the host. */
void spt_token_drop(void *ud, septet_op *op);

#endif
