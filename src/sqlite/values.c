/* SPDX-License-Identifier: MIT */
/* Copies values into statements, and columns out of them. */
#include "sqlite/values.h"

#include "septet/septet.h"
#include "sqlite/program.h"

int spt_sqlite_values_status(int rc)
{
    return rc == SEPTET_OK ? SQLITE_OK : rc == SEPTET_ETOOBIG ? SQLITE_TOOBIG : SQLITE_NOMEM;
}

int spt_sqlite_values_bind(sqlite3_stmt *statement, int i, const struct spt_sqlite_value *value)
{
    switch (value->kind) {
    case SPT_SQLITE_INTEGER:
        return sqlite3_bind_int64(statement, i, value->integer);
    case SPT_SQLITE_REAL:
        return sqlite3_bind_double(statement, i, value->real);
    case SPT_SQLITE_TEXT:
        return sqlite3_bind_text64(statement, i, value->text, value->len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    default:
        return sqlite3_bind_null(statement, i);
    }
}

int spt_sqlite_values_add(struct spt_buf *to, sqlite3_stmt *statement, int i)
{
    struct spt_sqlite_value value = {.kind = SPT_SQLITE_NULL};
    switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
        value.kind = SPT_SQLITE_INTEGER;
        value.integer = sqlite3_column_int64(statement, i);
        break;
    case SQLITE_FLOAT:
        value.kind = SPT_SQLITE_REAL;
        value.real = sqlite3_column_double(statement, i);
        break;
    case SQLITE_NULL:
        break;
    default:
        value.text = (const char *)sqlite3_column_text(statement, i);
        if (!value.text)
            return SQLITE_NOMEM;
        value.kind = SPT_SQLITE_TEXT;
        value.len = (size_t)sqlite3_column_bytes(statement, i);
    }
    return spt_sqlite_values_status(spt_sqlite_program_add_value(to, &value));
}
