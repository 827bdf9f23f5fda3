/* SPDX-License-Identifier: MIT */
/* Text about the live tasks: their tree, or an array of JSON. Reads the tasks and their stacks
 * alone, so it works without the trace, without memory, and in the middle of a turn. */
#ifndef SPT_CORE_DUMP_H
#define SPT_CORE_DUMP_H

struct spt_account;
struct spt_sched;

struct spt_dump {
    struct spt_sched *s;
    int form;                       /* one of SEPTET_DUMP_... */
    const char *title;              /* words of the first line; NULL: none */
    unsigned in_flight, queued;     /* requests, for the first line */
    const struct spt_account *only; /* tasks of this account alone; NULL: all */
    void (*line)(void *ud, const char *text);
    void *ud;
};

/* Calls `line` for each line. Allocates nothing. Takes time in proportion to the tasks. */
void spt_dump_write(const struct spt_dump *dump);

/* Likewise, but without the lines about the host before and after the tree. */
void spt_dump_write_tasks(const struct spt_dump *dump);

#endif
