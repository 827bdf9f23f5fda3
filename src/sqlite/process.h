/* SPDX-License-Identifier: MIT */
/* Functions of SQL that tell one process from another: `process_id()`, `process_start()`,
 * `process_space()` and `boot_id()` for this one, and `process_runs(id, start, space, boot)`. */
#ifndef SPT_SQLITE_PROCESS_H
#define SPT_SQLITE_PROCESS_H

#include <sqlite3.h>

/* Adds the functions to a connection. Returns SQLite's code. process_runs() returns 0 only if it is
 * certain that the process has ended: a process in another space of numbers cannot be seen. */
int spt_sqlite_process_register(sqlite3 *db);

#endif
