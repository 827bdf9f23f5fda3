/* SPDX-License-Identifier: MIT */
/* What a database is asked for: a program of statements with their values, its answer, and what
 * went wrong. The thread of the database has it until it is answered. */
#ifndef SPT_SQLITE_REQUEST_H
#define SPT_SQLITE_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"

enum { SPT_SQLITE_STATEMENTS_MAX = 128 };

/* What is known of a statement. A row that is kept gives its values to later steps of the change:
 * those that use it have its columns as parameters, in order, behind their own values. */
enum {
    SPT_SQLITE_BEGINS = 1u << 0, /* it begins a change */
    /* if it changes no row, or returns none, the change is undone, and its rest is left out */
    SPT_SQLITE_FENCES = 1u << 1,
    SPT_SQLITE_ROWS = 1u << 2,  /* its rows are handed out */
    SPT_SQLITE_READS = 1u << 3, /* it changes nothing */
    SPT_SQLITE_KEEPS = 1u << 4, /* its first row is kept */
    SPT_SQLITE_USES = 1u << 5,  /* it uses the row that is kept */
    /* The inner steps behind it run for each of its rows, which is kept. If the first of them
     * changes nothing, the row does not count and is not handed out. It runs again until so many
     * rows have counted as its first value says, or until it returns none. That value is its first
     * parameter: the number of rows that are still wanted. */
    SPT_SQLITE_EACH = 1u << 6,
    SPT_SQLITE_CONTINUES = 1u << 7, /* like EACH, for the rows that the one before still wanted */
    SPT_SQLITE_INNER = 1u << 8,
    SPT_SQLITE_OTHERWISE = 1u << 9, /* left out if the step before has changed a row */
    SPT_SQLITE_NEEDS_2 = 1u << 10,  /* left out if that column of the kept row is NULL */
    SPT_SQLITE_NEEDS_3 = 1u << 11,
    SPT_SQLITE_NEEDS_4 = 1u << 12,
    SPT_SQLITE_SCRIPT = 1u << 13, /* several statements, without values */
    SPT_SQLITE_THEN = 1u << 14,   /* left out if the step before has changed no row */
    SPT_SQLITE_GIVES = 1u << 15,  /* its values are kept, as a row is */
    /* The integers of its row are kept for the rest of the request. Steps from one of them have
     * it, less their first value, in place of that value. */
    SPT_SQLITE_NUMBERS = 1u << 16,
    SPT_SQLITE_FROM_1 = 1u << 17,
    SPT_SQLITE_FROM_2 = 1u << 18,
};

struct spt_sqlite_statement {
    char *sql;       /* owned */
    unsigned values; /* for each run of it */
    unsigned flags;
};

/* Why a request failed. */
struct spt_sqlite_fault {
    const char *code; /* one word; NULL: it did not */
    char words[256];
};

/* Called on the owner's thread, with the answer. Owns the request from now on. */
typedef void spt_sqlite_fn(void *ud);

enum {
    SPT_SQLITE_RELAXED = 1u << 0,  /* a power cut may undo it */
    SPT_SQLITE_OPTIONAL = 1u << 1, /* left out if the waiter has left before it begins */
};

struct spt_sqlite_request {
    struct spt_link link;   /* private, of the database */
    struct spt_buf program; /* the steps */
    unsigned changes;       /* number of changes */
    unsigned steps;         /* number of steps */
    unsigned flags;         /* of SPT_SQLITE_RELAXED and the like */
    bool writes;            /* it has a step that does not only read */
    bool opens, closes;     /* it opens or closes the database, and has no steps */
    atomic_bool abandoned;  /* there is no waiter any more */
    struct spt_buf changed; /* int32_t for each step: number of rows; -1: left out */
    struct spt_buf rows;    /* for each step with rows, their number of values, and those */
    struct spt_sqlite_fault fault;
    spt_sqlite_fn *fn; /* NULL: no waiter */
    void *ud;
};

/* Returns a request without a step, or NULL. */
struct spt_sqlite_request *spt_sqlite_request_new(void);

/* Frees a request that no database has. */
void spt_sqlite_request_free(struct spt_sqlite_request *request);

/* Begins a step. Its values follow, by spt_sqlite_program_add_value(). Returns SEPTET_OK,
 * SEPTET_ETOOBIG or SEPTET_ENOMEM. */
int spt_sqlite_request_add(struct spt_sqlite_request *request, uint32_t statement, unsigned flags);

#endif
