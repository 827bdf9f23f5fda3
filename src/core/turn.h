/* SPDX-License-Identifier: MIT */
/* A turn of a task: from its resume to its next wait. */
#ifndef SPT_CORE_TURN_H
#define SPT_CORE_TURN_H

struct spt_task;

/* Runs a ready task until it waits, yields or ends. */
void spt_turn_run(struct spt_task *t);

#endif
