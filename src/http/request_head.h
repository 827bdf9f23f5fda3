/* SPDX-License-Identifier: MIT */
/* The head of a request that a server receives, taken from bytes in pieces of any size. It is read
 * strictly: what two parties might understand differently is refused. */
#ifndef SPT_HTTP_REQUEST_HEAD_H
#define SPT_HTTP_REQUEST_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "http/head.h"

struct spt_request_head {
    struct spt_head head;
    struct spt_buf lines; /* those of the head, without their ends, separated by CRLF */
    struct spt_buf line;  /* bytes of a line that has not ended */
    size_t bytes;         /* number of all that were taken */
};

/* Begins a head, or with `trailers` the header lines after a chunked body, which have no request
 * line. */
void spt_request_head_init(struct spt_request_head *r, bool trailers);
void spt_request_head_release(struct spt_request_head *r);

/* Takes bytes up to the end of the head, and sets `*used` to their number. head.done says whether
 * the head is complete. Blank lines before a request are skipped. Returns the statuses of
 * spt_head_line(), and SEPTET_ETOOBIG for more than SPT_HEAD_MAX bytes. A further word in
 * head.fault is "line_end": an LF without a CR before it, or a CR elsewhere. */
int spt_request_head_feed(struct spt_request_head *r, const char *bytes, size_t len, size_t *used);

#endif
