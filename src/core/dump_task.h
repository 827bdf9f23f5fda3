/* SPDX-License-Identifier: MIT */
/* A live task in words: as a line of a dump, or in JSON. */
#ifndef SPT_CORE_DUMP_TASK_H
#define SPT_CORE_DUMP_TASK_H

#include <stdint.h>

#include "base/text.h"

struct spt_task;

enum {
    SPT_DUMP_NAME = 128,   /* bytes of a task's name */
    SPT_DUMP_DETAIL = 512, /* bytes of what a task waits for */
};

/* Returns "new", "ready", "run" or "wait". */
const char *spt_dump_task_state(const struct spt_task *t);

/* Returns the kind of its wait; "" if it does not wait. */
const char *spt_dump_task_wait(const struct spt_task *t);

/* Writes what it waits for, without the kind. */
void spt_dump_task_detail(const struct spt_task *t, char out[SPT_DUMP_DETAIL]);

/* Return for how long it ran in all, and in its longest turn, with the running one. */
uint64_t spt_dump_task_busy(const struct spt_task *t, uint64_t now_ns);
uint64_t spt_dump_task_longest(const struct spt_task *t, uint64_t now_ns);

/* Appends "0.118s". */
void spt_dump_task_add_seconds(struct spt_text *text, uint64_t ns);

/* Appends its stack, "a.lua:9 in fetch ← a.lua:15 in page". Before its first turn and after its
 * body's end, that is the place of its function. */
void spt_dump_task_add_place(struct spt_text *text, const struct spt_task *t);

/* Appends the task: "#2 page         wait http       0.118s GET https://...  a.lua:9 in fetch". The
 * state begins in the column, if the name before it is short enough. */
void spt_dump_task_add(struct spt_text *text, const struct spt_task *t, unsigned column,
                       uint64_t now_ns);

/* Appends the task as an object of JSON. */
void spt_dump_task_add_json(struct spt_text *text, const struct spt_task *t, uint64_t now_ns);

#endif
