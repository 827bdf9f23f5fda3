/* SPDX-License-Identifier: MIT */
/* Lines of text about live tasks. */
#ifndef SPT_HOST_DUMP_H
#define SPT_HOST_DUMP_H

#include "core/task.h"

#define SPT_DUMP_LINE 4224 /* bytes */

/* Writes the number of a live task, its name, what it waits for and where. The text begins with
 * `depth` steps of indentation, and its control characters are escaped. Allocates nothing. */
void spt_dump_task(const struct spt_task *t, unsigned depth, char out[SPT_DUMP_LINE]);

#endif
