/* SPDX-License-Identifier: MIT */
/* A state for each kind of place in a row. Runs of plain bytes are copied at once. */
#include "base/csv.h"

#include <stdlib.h>
#include <string.h>

#include "septet/septet.h"

enum state {
    ROW_START,
    FIELD_START,
    PLAIN,
    QUOTED,
    QUOTE_SEEN, /* it ends the field, or is the first of two */
    ROW_DONE,   /* the row is the caller's until the next call */
    CR_SEEN,    /* like ROW_DONE, and a LF belongs to the line end */
    ENDED,
};

static const char byte_order_mark[] = "\xef\xbb\xbf";

void spt_csv_init(struct spt_csv *csv, char separator, int quote, bool lazy,
                  const struct spt_csv_limits *limits)
{
    *csv =
        (struct spt_csv){.separator = separator, .quote = quote, .lazy = lazy, .limits = *limits};
    spt_buf_init(&csv->bytes, limits->row);
    csv->special[(unsigned char)separator] = csv->special['\n'] = csv->special['\r'] = 1;
    if (quote >= 0)
        csv->special[quote] = 1;
}

void spt_csv_release(struct spt_csv *csv)
{
    spt_buf_release(&csv->bytes);
    free(csv->ends);
    csv->ends = NULL;
}

/* Ends the reading. The place of what is too long is its beginning. */
static enum spt_csv_result fail(struct spt_csv *csv, enum spt_csv_result result)
{
    if (result == SPT_CSV_FIELD_TOO_LONG || result == SPT_CSV_OPEN_QUOTE ||
        result == SPT_CSV_TOO_MANY)
        csv->place = csv->field;
    if (result == SPT_CSV_ROW_TOO_LONG)
        csv->place = (struct spt_csv_place){csv->row_offset, csv->row_line, csv->row_offset};
    return csv->failed = result;
}

/* Appends bytes to the field. Returns SPT_CSV_MORE or an error. */
static enum spt_csv_result append(struct spt_csv *csv, const char *bytes, size_t n)
{
    size_t field_start = csv->nends > 0 ? csv->ends[csv->nends - 1] : 0;
    if (csv->bytes.len - field_start + n > csv->limits.field)
        return fail(csv, SPT_CSV_FIELD_TOO_LONG);
    if (csv->place.offset - csv->row_offset + n > csv->limits.row)
        return fail(csv, SPT_CSV_ROW_TOO_LONG);
    int status = spt_buf_append(&csv->bytes, bytes, n);
    return status == SEPTET_OK        ? SPT_CSV_MORE
           : status == SEPTET_ETOOBIG ? fail(csv, SPT_CSV_ROW_TOO_LONG)
                                      : fail(csv, SPT_CSV_NO_MEMORY);
}

static enum spt_csv_result end_field(struct spt_csv *csv)
{
    if (csv->nends == csv->limits.columns)
        return fail(csv, SPT_CSV_TOO_MANY);
    if (csv->nends == csv->cap) {
        size_t cap = csv->cap ? 2 * csv->cap : 16;
        size_t *ends = realloc(csv->ends, cap * sizeof *ends);
        if (!ends)
            return fail(csv, SPT_CSV_NO_MEMORY);
        csv->ends = ends;
        csv->cap = cap;
    }
    csv->ends[csv->nends++] = csv->bytes.len;
    csv->state = FIELD_START;
    return SPT_CSV_MORE;
}

/* Moves the place behind n bytes of one line. */
static void skip(struct spt_csv *csv, size_t n)
{
    csv->place.offset += n;
}

static void begin_line(struct spt_csv *csv)
{
    csv->place.line++;
    csv->place.line_start = csv->place.offset;
}

/* Takes a separator or the first byte of a line end, which ends a field. */
static enum spt_csv_result take_end(struct spt_csv *csv, char c)
{
    enum spt_csv_result result = SPT_CSV_MORE;
    if (csv->state != ROW_START || c == csv->separator)
        result = end_field(csv);
    if (result != SPT_CSV_MORE)
        return result;
    skip(csv, 1);
    if (c == csv->separator)
        return SPT_CSV_MORE;
    begin_line(csv);
    if (csv->state != ROW_START)
        result = SPT_CSV_ROW;
    csv->state = c == '\r' ? CR_SEEN : ROW_DONE;
    return result;
}

/* Takes bytes inside of quotes, up to the next quote. */
static enum spt_csv_result take_quoted(struct spt_csv *csv, const char *bytes, size_t n,
                                       size_t *taken)
{
    const char *quote = memchr(bytes, csv->quote, n);
    size_t len = quote ? (size_t)(quote - bytes) : n;
    enum spt_csv_result result = append(csv, bytes, len);
    if (result != SPT_CSV_MORE)
        return result;
    for (const char *at = bytes; (at = memchr(at, '\n', (size_t)(bytes + len - at)));) {
        at++;
        csv->place.line++;
        csv->place.line_start = csv->place.offset + (uint64_t)(at - bytes);
    }
    skip(csv, len + (quote != NULL));
    if (quote)
        csv->state = QUOTE_SEEN;
    *taken = len + (quote != NULL);
    return SPT_CSV_MORE;
}

/* Takes the byte behind a quote that was seen inside of quotes. */
static enum spt_csv_result take_behind_quote(struct spt_csv *csv, char c, size_t *taken)
{
    const char quote = (char)csv->quote;
    if (c == csv->separator || c == '\n' || c == '\r') {
        *taken = 1;
        return take_end(csv, c);
    }
    if (c != quote && !csv->lazy)
        return fail(csv, SPT_CSV_BEHIND_QUOTE);
    enum spt_csv_result result = append(csv, &quote, 1);
    csv->state = QUOTED;
    *taken = c == quote;
    if (result == SPT_CSV_MORE)
        skip(csv, *taken);
    return result;
}

/* Takes plain bytes, up to one that has a meaning, or that one. */
static enum spt_csv_result take_plain(struct spt_csv *csv, const char *bytes, size_t n,
                                      size_t *taken)
{
    size_t len = 0;
    while (len < n && !csv->special[(unsigned char)bytes[len]])
        len++;
    if (len < n && len == 0) {
        *taken = 1;
        if (*bytes != (char)csv->quote || csv->quote < 0)
            return take_end(csv, *bytes);
        if (csv->state == PLAIN && !csv->lazy)
            return fail(csv, SPT_CSV_BARE_QUOTE);
        if (csv->state != PLAIN) {
            csv->state = QUOTED;
            skip(csv, 1);
            return SPT_CSV_MORE;
        }
        len = 1;
    }
    enum spt_csv_result result = append(csv, bytes, len);
    if (result == SPT_CSV_MORE)
        skip(csv, len);
    csv->state = PLAIN;
    *taken = len;
    return result;
}

/* Takes the next byte of a byte order mark, or returns false and makes the bytes before it those of
 * a field. */
static bool take_mark(struct spt_csv *csv, char c)
{
    if (csv->place.offset == csv->mark && csv->mark < 3 && c == byte_order_mark[csv->mark]) {
        csv->mark++;
        skip(csv, 1);
        if (csv->mark == 3)
            csv->row_offset = csv->place.line_start = 3;
        return true;
    }
    if (csv->mark < 3 && csv->mark > 0) {
        append(csv, byte_order_mark, csv->mark);
        csv->state = PLAIN;
    }
    if (csv->mark < 3)
        csv->mark = 4; /* it is over */
    return false;
}

static enum spt_csv_result take(struct spt_csv *csv, const char *bytes, size_t n, size_t *taken)
{
    *taken = 1;
    if (csv->mark < 3 && take_mark(csv, *bytes))
        return SPT_CSV_MORE;
    if (csv->failed)
        return csv->failed;
    if (csv->state == ROW_START || csv->state == FIELD_START)
        csv->field = csv->place;
    switch (csv->state) {
    case QUOTED:
        return take_quoted(csv, bytes, n, taken);
    case QUOTE_SEEN:
        return take_behind_quote(csv, *bytes, taken);
    default:
        return take_plain(csv, bytes, n, taken);
    }
}

/* Begins the next row, if the last one is done. A LF behind a CR is skipped. */
static size_t begin_row(struct spt_csv *csv, const char *bytes)
{
    if (csv->state != ROW_DONE && csv->state != CR_SEEN)
        return 0;
    csv->bytes.len = csv->nends = 0;
    bool is_lf = csv->state == CR_SEEN && *bytes == '\n';
    skip(csv, is_lf);
    if (is_lf)
        csv->place.line_start = csv->place.offset;
    csv->state = ROW_START;
    csv->row_offset = csv->place.offset;
    csv->row_line = csv->place.line;
    return is_lf;
}

enum spt_csv_result spt_csv_read(struct spt_csv *csv, const char *bytes, size_t n, size_t *taken)
{
    enum spt_csv_result result = csv->failed;
    size_t at = 0, some;
    while (result == SPT_CSV_MORE && at < n) {
        at += begin_row(csv, bytes + at);
        if (at == n)
            break;
        result = take(csv, bytes + at, n - at, &some);
        at += some;
    }
    *taken = at;
    return result;
}

enum spt_csv_result spt_csv_finish(struct spt_csv *csv)
{
    if (csv->failed)
        return csv->failed;
    if (csv->mark > 0 && csv->mark < 3)
        take_mark(csv, '\0');
    switch (csv->state) {
    case QUOTED:
        return fail(csv, SPT_CSV_OPEN_QUOTE);
    case FIELD_START:
    case PLAIN:
    case QUOTE_SEEN: {
        enum spt_csv_result result = end_field(csv);
        csv->state = ENDED;
        return result == SPT_CSV_MORE ? SPT_CSV_ROW : result;
    }
    default:
        csv->state = ENDED;
        return SPT_CSV_END;
    }
}
