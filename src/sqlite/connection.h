/* SPDX-License-Identifier: MIT */
/* The connection of a thread to a database: how it is opened, its statements, its faults, and how
 * long it waits for others. All functions run on that thread. It knows neither the loop nor
 * requests. */
#ifndef SPT_SQLITE_CONNECTION_H
#define SPT_SQLITE_CONNECTION_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sqlite/request.h"

/* The clock by which a thread waits for a lock. Tests replace it. */
struct spt_sqlite_clock {
    uint64_t (*now)(void *ud);          /* nanoseconds */
    void (*nap)(void *ud, uint64_t ns); /* sleeps */
    void *ud;
};

struct spt_sqlite_options {
    const char *path;
    int application;                      /* the number that the file must have, if not empty */
    bool normal;                          /* a power cut may undo the last changes */
    uint64_t patience_ns;                 /* how long it waits for a lock */
    int cache_kib;                        /* size of the cache */
    const struct spt_sqlite_clock *clock; /* NULL: the real one */
};

struct spt_sqlite_file {
    dev_t device;
    ino_t inode; /* 0: there is none */
};

struct spt_sqlite_connection {
    sqlite3 *db; /* NULL: it is not open */
    char *path;  /* owned; never one that SQLite takes for something else */
    char *wal;   /* owned; path of its write-ahead log */
    struct spt_sqlite_options options;
    struct spt_sqlite_file file, wal_file;
    const struct spt_sqlite_statement *statements; /* borrowed */
    sqlite3_stmt *prepared[SPT_SQLITE_STATEMENTS_MAX];
    struct spt_buf found;   /* rows that a request keeps */
    uint64_t wait_until_ns; /* end of the patience with a lock; 0: nothing was locked yet */
    uint64_t nap_ns;        /* of the last wait */
    uint32_t random;
    int synchronous;             /* as it is set now */
    uint64_t commit_ns;          /* of the last commit that was to last; 0: there was none */
    atomic_uint_fast64_t end_ns; /* set by the owner: it gives up then; 0: never */
};

/* Opens the database. Returns false and sets the fault if that fails; there is nothing to close
 * then. */
bool spt_sqlite_connection_open(struct spt_sqlite_connection *c, struct spt_sqlite_fault *fault);

void spt_sqlite_connection_close(struct spt_sqlite_connection *c);

/* Returns the statement, prepared and reset, or NULL: sqlite3_errcode() says why. */
sqlite3_stmt *spt_sqlite_connection_statement(struct spt_sqlite_connection *c, uint32_t id);

/* Describes the last failure of SQLite, of which `rc` is the code. */
void spt_sqlite_connection_fault(const struct spt_sqlite_connection *c, int rc,
                                 struct spt_sqlite_fault *fault);

/* Returns false and sets the fault if the path does not lead to the open file any more. */
bool spt_sqlite_connection_check(const struct spt_sqlite_connection *c,
                                 struct spt_sqlite_fault *fault);

/* Waits a moment, if the code says that another connection holds a lock. Returns false if it does
 * not, or if the patience has ended. */
bool spt_sqlite_connection_wait(struct spt_sqlite_connection *c, int rc);

/* Ends the waits for a lock: the next one has all the patience again. */
void spt_sqlite_connection_calm(struct spt_sqlite_connection *c);

/* Sets whether the next commits survive a power cut. */
int spt_sqlite_connection_sync(struct spt_sqlite_connection *c, bool full);

/* Returns the time of the connection's clock. */
uint64_t spt_sqlite_connection_now(const struct spt_sqlite_connection *c);

#endif
