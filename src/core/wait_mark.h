/* SPDX-License-Identifier: MIT */
/* What marks a coroutine that an await has suspended. */
#ifndef SPT_CORE_WAIT_MARK_H
#define SPT_CORE_WAIT_MARK_H

/* A light userdata of this address lies on top of the coroutine's stack. It keeps scripts and other
 * libraries from resuming or closing the coroutine. */
extern const char spt_wait_mark;

#endif
