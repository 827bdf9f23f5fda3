/* SPDX-License-Identifier: MIT */
/* How the process of the command has memory. The library leaves these settings alone, because they
 * are the whole process's. */
#ifndef SPT_CLI_MEMORY_H
#define SPT_CLI_MEMORY_H

/* Sets them. Call it before there is another thread. */
void memory_init(void);

#endif
