/* SPDX-License-Identifier: MIT */
/* The compact form in which statements with their values go to the thread of a database, and rows
 * come back: one buffer for each. It knows neither SQLite nor threads. */
#ifndef SPT_SQLITE_PROGRAM_H
#define SPT_SQLITE_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum spt_sqlite_kind { SPT_SQLITE_NULL, SPT_SQLITE_INTEGER, SPT_SQLITE_REAL, SPT_SQLITE_TEXT };

struct spt_sqlite_value {
    enum spt_sqlite_kind kind;
    union {
        int64_t integer;
        double real;
        size_t len; /* of the text, in bytes */
    };
    const char *text; /* borrowed */
};

/* Appends a number, such as that of a statement. Returns SEPTET_OK, SEPTET_ETOOBIG or
 * SEPTET_ENOMEM. */
int spt_sqlite_program_add(struct spt_buf *program, uint32_t number);

/* Appends a copy of a value. Returns the same statuses. */
int spt_sqlite_program_add_value(struct spt_buf *program, const struct spt_sqlite_value *value);

/* Returns the number at `at`, and moves that behind it. */
uint32_t spt_sqlite_program_read(const struct spt_buf *program, size_t *at);

/* Returns the value at `at`, and moves that behind it. The text is that of the program. */
struct spt_sqlite_value spt_sqlite_program_read_value(const struct spt_buf *program, size_t *at);

#endif
