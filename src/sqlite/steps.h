/* SPDX-License-Identifier: MIT */
/* Runs the steps of a request, inside of a transaction. Runs on the thread of the database. It does
 * not know what a statement does. */
#ifndef SPT_SQLITE_STEPS_H
#define SPT_SQLITE_STEPS_H

#include "sqlite/connection.h"

/* Runs the steps, and sets the answer of the request. Returns SQLite's code; after a failure the
 * transaction must be rolled back. */
int spt_sqlite_steps_run(struct spt_sqlite_connection *c, struct spt_sqlite_request *request);

#endif
