/* SPDX-License-Identifier: MIT */
/* Values of a program as those of SQLite's statements. */
#ifndef SPT_SQLITE_VALUES_H
#define SPT_SQLITE_VALUES_H

#include <sqlite3.h>

struct spt_buf;
struct spt_sqlite_value;

/* Returns SQLite's code for SEPTET_OK, SEPTET_ETOOBIG or SEPTET_ENOMEM. */
int spt_sqlite_values_status(int rc);

/* Binds a value to a parameter, from 1. A text must outlive the run of the statement. Returns
 * SQLite's code. */
int spt_sqlite_values_bind(sqlite3_stmt *statement, int i, const struct spt_sqlite_value *value);

/* Appends a column of the statement's row, from 0. Returns SQLite's code. */
int spt_sqlite_values_add(struct spt_buf *to, sqlite3_stmt *statement, int i);

#endif
