/* SPDX-License-Identifier: MIT */
/* Splits CSV (RFC 4180) into rows, from bytes that arrive in parts. Knows neither where they come
 * from nor what becomes of a row. */
#ifndef SPT_BASE_CSV_H
#define SPT_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum spt_csv_result {
    SPT_CSV_MORE, /* all bytes were taken, and the row is not complete */
    SPT_CSV_ROW,  /* a row is complete */
    SPT_CSV_END,  /* there are no more rows */
    SPT_CSV_BARE_QUOTE,
    SPT_CSV_BEHIND_QUOTE,
    SPT_CSV_OPEN_QUOTE,
    SPT_CSV_FIELD_TOO_LONG,
    SPT_CSV_ROW_TOO_LONG,
    SPT_CSV_TOO_MANY,
    SPT_CSV_NO_MEMORY,
};

struct spt_csv_limits {
    size_t field, row, columns; /* bytes of a field and of a row as written; number of fields */
};

/* A place in the text, from 0; lines end at LF, CR LF or CR. */
struct spt_csv_place {
    uint64_t offset, line, line_start; /* line_start: offset of the beginning of the line */
};

struct spt_csv {
    struct spt_buf bytes; /* of the fields of the row, one after the other */
    size_t *ends;         /* owned; for each field, the offset of its end in `bytes` */
    size_t nends, cap;
    struct spt_csv_place place;    /* of the next byte; after an error, of what is wrong */
    struct spt_csv_place field;    /* of the beginning of the field */
    uint64_t row_offset, row_line; /* of the row's beginning */
    struct spt_csv_limits limits;
    enum spt_csv_result failed; /* SPT_CSV_MORE: it has not */
    int state, quote;           /* quote: -1 for none */
    unsigned mark;              /* bytes of a byte order mark that were seen */
    bool lazy;                  /* quotes may stand anywhere */
    unsigned char special[256]; /* true for what ends a run of plain bytes */
    char separator;
};

/* Initialises a splitter. `quote` is -1 if quotes have no meaning. */
void spt_csv_init(struct spt_csv *csv, char separator, int quote, bool lazy,
                  const struct spt_csv_limits *limits);
void spt_csv_release(struct spt_csv *csv);

/* Takes bytes until a row is complete, and drops the previous row. `*taken` is the number of bytes
 * taken. After an error, which is the same from then on, `place` says where. */
enum spt_csv_result spt_csv_read(struct spt_csv *csv, const char *bytes, size_t n, size_t *taken);

/* Says that the text has ended: returns SPT_CSV_ROW for a last row without a line end, then
 * SPT_CSV_END, or an error. */
enum spt_csv_result spt_csv_finish(struct spt_csv *csv);

#endif
