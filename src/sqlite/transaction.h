/* SPDX-License-Identifier: MIT */
/* Runs requests on a connection: those of a list in one transaction, or each in its own if one of
 * them fails. Runs on the thread of the database. */
#ifndef SPT_SQLITE_TRANSACTION_H
#define SPT_SQLITE_TRANSACTION_H

#include "sqlite/connection.h"

struct spt_link;

/* Moves further requests to `more`, which is empty. */
typedef void spt_sqlite_more_fn(void *ud, struct spt_link *requests, struct spt_link *more);

/* Runs the requests, all of which write, or none. Each has its answer or its fault afterwards.
 * Before the commit, calls more(ud, requests, list) for those that may join. */
void spt_sqlite_transaction_run(struct spt_sqlite_connection *c, struct spt_link *requests,
                                spt_sqlite_more_fn *more, void *ud);

#endif
