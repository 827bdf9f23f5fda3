/* SPDX-License-Identifier: MIT */
/* Tells a child process from the one that made an object, without a system call. */
#ifndef SPT_BASE_FORKS_H
#define SPT_BASE_FORKS_H

/* Begins to count. Safe in any thread and at any number of calls. */
void spt_forks_watch(void);

/* Returns a number that differs in a child process after fork(), as long as spt_forks_watch() was
 * called before. */
unsigned spt_forks_count(void);

#endif
