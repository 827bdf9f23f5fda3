/* SPDX-License-Identifier: MIT */
/* Calls of the embedder's, each of which receives how its main task ended. */
#ifndef SPT_HOST_CALL_H
#define SPT_HOST_CALL_H

#include "host/state.h"

/* Ends the calls that are left when the host ends, because their tasks could not be unwound. */
void spt_call_end_all(septet_host *h);

#endif
