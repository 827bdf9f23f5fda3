/* SPDX-License-Identifier: MIT */
/* Writes a value as a byte for its kind, eight for its number or its length, and the text. */
#include "sqlite/program.h"

#include <string.h>

#include "septet/septet.h"

enum { HEAD = 1 + sizeof(int64_t) };

int spt_sqlite_program_add(struct spt_buf *program, uint32_t number)
{
    return spt_buf_append(program, &number, sizeof number);
}

static int64_t bits_of(const struct spt_sqlite_value *value)
{
    int64_t bits = value->integer;
    if (value->kind == SPT_SQLITE_REAL)
        memcpy(&bits, &value->real, sizeof bits);
    else if (value->kind == SPT_SQLITE_TEXT)
        bits = (int64_t)value->len;
    return bits;
}

int spt_sqlite_program_add_value(struct spt_buf *program, const struct spt_sqlite_value *value)
{
    const size_t len = value->kind == SPT_SQLITE_TEXT ? value->len : 0;
    if (len > SIZE_MAX / 2)
        return SEPTET_ETOOBIG;
    int rc = spt_buf_reserve(program, HEAD + len);
    if (rc != SEPTET_OK)
        return rc;
    const int64_t bits = bits_of(value);
    char *to = program->data + program->len;
    *to = (char)value->kind;
    memcpy(to + 1, &bits, sizeof bits);
    if (len > 0)
        memcpy(to + HEAD, value->text, len);
    program->len += HEAD + len;
    return SEPTET_OK;
}

uint32_t spt_sqlite_program_read(const struct spt_buf *program, size_t *at)
{
    uint32_t number;
    memcpy(&number, program->data + *at, sizeof number);
    *at += sizeof number;
    return number;
}

struct spt_sqlite_value spt_sqlite_program_read_value(const struct spt_buf *program, size_t *at)
{
    int64_t bits;
    const char *from = program->data + *at;
    struct spt_sqlite_value value = {.kind = (enum spt_sqlite_kind) * from};
    memcpy(&bits, from + 1, sizeof bits);
    *at += HEAD;
    if (value.kind == SPT_SQLITE_REAL) {
        memcpy(&value.real, &bits, sizeof value.real);
    } else if (value.kind == SPT_SQLITE_TEXT) {
        value.len = (size_t)bits;
        value.text = from + HEAD;
        *at += value.len;
    } else {
        value.integer = bits;
    }
    return value;
}
