/* SPDX-License-Identifier: MIT */
/* Cuts bytes into lines, which must end with CRLF, for the parser of heads. */
#include "http/request_head.h"

#include <string.h>

#include "septet/septet.h"

void spt_request_head_init(struct spt_request_head *r, bool trailers)
{
    *r = (struct spt_request_head){0};
    r->head.request = true;
    r->head.within = trailers;
    r->head.length = -1;
    spt_buf_init(&r->lines, SPT_HEAD_MAX);
    spt_buf_init(&r->line, SPT_HEAD_MAX);
}

void spt_request_head_release(struct spt_request_head *r)
{
    spt_buf_release(&r->lines);
    spt_buf_release(&r->line);
}

/* Returns true if the line ends with the only CR in it, before the LF. */
static bool is_ended_well(const char *line, size_t len)
{
    return len >= 2 && memchr(line, '\r', len) == line + len - 2;
}

static int take_line(struct spt_request_head *r, const char *line, size_t len)
{
    if (!is_ended_well(line, len)) {
        r->head.fault = "line_end";
        return SEPTET_EINVAL;
    }
    if (!r->head.within && len == 2)
        return ++r->head.lines > SPT_HEAD_LINES_MAX ? SEPTET_ETOOBIG : SEPTET_OK;
    return spt_head_line(&r->head, &r->lines, line, len);
}

/* Takes the bytes up to an LF, or all if there is none. */
static int take_part(struct spt_request_head *r, const char *bytes, size_t len, size_t *used)
{
    const char *lf = memchr(bytes, '\n', len);
    size_t n = lf ? (size_t)(lf - bytes) + 1 : len;
    *used += n;
    r->bytes += n;
    if (r->bytes > SPT_HEAD_MAX)
        return SEPTET_ETOOBIG;
    if (lf && r->line.len == 0)
        return take_line(r, bytes, n);
    int rc = spt_buf_append(&r->line, bytes, n);
    if (rc != SEPTET_OK || !lf)
        return rc;
    rc = take_line(r, r->line.data, r->line.len);
    r->line.len = 0;
    return rc;
}

int spt_request_head_feed(struct spt_request_head *r, const char *bytes, size_t len, size_t *used)
{
    int rc = SEPTET_OK;
    *used = 0;
    while (rc == SEPTET_OK && *used < len && !r->head.done)
        rc = take_part(r, bytes + *used, len - *used, used);
    return rc;
}
