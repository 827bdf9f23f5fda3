/* SPDX-License-Identifier: MIT */
/* The end of tasks and of the scopes that they leave. */
#ifndef SPT_CORE_FINISH_H
#define SPT_CORE_FINISH_H

struct spt_block;
struct spt_scope;
struct spt_task;

/* Ends a task once its body has ended, or leaves that to the last of its children. */
void spt_finish_task(struct spt_task *t);

/* Cancels the tasks left in a scope once its body has ended. */
void spt_finish_leave(struct spt_scope *scope);

/* Reports the unhandled failure of a task that is in no list, and releases its anchor. */
void spt_finish_report(struct spt_task *t);

/* Keeps the scope `into` open until `from` closes, because a task of `from` is to move to it. */
void spt_finish_expect(struct spt_block *into, struct spt_block *from);

#endif
