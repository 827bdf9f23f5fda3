/* SPDX-License-Identifier: MIT */
/* The Lua state in which the function of a thread runs, from its beginning to its end. */
#ifndef SPT_OP_THREAD_STATE_H
#define SPT_OP_THREAD_STATE_H

struct spt_thread;

/* Runs the function, and sets the outcome. Ends early if the job is abandoned. Uses nothing of a
 * host. */
void spt_state_run(struct spt_thread *t);

#endif
