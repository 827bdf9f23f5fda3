/* SPDX-License-Identifier: MIT */
/* A database on a thread of its own. All calls of SQLite are made there. The loop's thread gives it
 * requests, and gets them back with their answers. Requests that come while the thread works share
 * the next transaction. It knows neither tasks nor what the statements mean. */
#ifndef SPT_SQLITE_DATABASE_H
#define SPT_SQLITE_DATABASE_H

#include "sqlite/connection.h"
#include "sqlite/request.h"

struct spt_loop;
struct spt_sqlite;

/* Starts the thread, which opens the database, and then calls fn(ud). Copies the options. Returns
 * NULL if there is no memory, or no thread. */
struct spt_sqlite *spt_sqlite_open(struct spt_loop *loop, const struct spt_sqlite_options *options,
                                   spt_sqlite_fn *fn, void *ud);

/* Clears that callback. */
void spt_sqlite_forget_open(struct spt_sqlite *db);

/* Returns why it could not be opened; its code is NULL if it is open. */
const struct spt_sqlite_fault *spt_sqlite_open_fault(const struct spt_sqlite *db);

/* Adds a statement, of which no call of SQLite is made yet. Returns its number, or -1 if there is
 * no memory, or if there are too many. */
int spt_sqlite_add_statement(struct spt_sqlite *db, const char *sql, unsigned values,
                             unsigned flags);

/* Returns a statement that was added, or NULL. */
const struct spt_sqlite_statement *spt_sqlite_statement(const struct spt_sqlite *db, uint32_t id);

/* Queues a request, and calls fn(ud) once it is answered. The caller owns the request again then,
 * and must free it. The numbers of its statements must be those of the database. */
void spt_sqlite_submit(struct spt_sqlite *db, struct spt_sqlite_request *request, spt_sqlite_fn *fn,
                       void *ud);

/* Clears the callback of a request that is not answered. It may still run, and is
 * freed by the database. */
void spt_sqlite_forget(struct spt_sqlite_request *request);

/* Returns the number of requests that are not answered. */
size_t spt_sqlite_waiting(const struct spt_sqlite *db);

/* Closes the database once all requests are done. The database may not be used any more. fn(ud) is
 * called once it is closed; NULL: no waiter. */
void spt_sqlite_close(struct spt_sqlite *db, spt_sqlite_fn *fn, void *ud);

/* Clears that callback. */
void spt_sqlite_forget_close(struct spt_sqlite *db);

/* Closes the database and waits until its thread has ended, for a host that ends. The requests have
 * no waiters any more. What is queued is done first, but what takes longer than a few seconds is
 * given up. May follow spt_sqlite_close(). */
void spt_sqlite_end(struct spt_sqlite *db);

#endif
