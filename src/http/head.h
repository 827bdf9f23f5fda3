/* SPDX-License-Identifier: MIT */
/* The head of a response or a request: its first line and header lines, as bytes in a buffer. */
#ifndef SPT_HTTP_HEAD_H
#define SPT_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* What the previous line was, if a line folded onto it would change how the body is framed. */
enum spt_framing {
    SPT_FRAMING_NONE,
    SPT_FRAMING_LENGTH,
    SPT_FRAMING_TRANSFER,
};

/* Reads the head of a response: its status line and header lines. A head overwrites an earlier,
 * interim one (1xx). Lines after the final head are ignored until `done` is cleared. */
struct spt_head {
    unsigned lines;  /* number in all heads, limited against a flood */
    unsigned fields; /* number of header lines in this head, without folded ones */
    int status;
    int version;       /* 10, 11 or 20 */
    bool request;      /* the first line is that of a request; see request_head.h */
    bool begins;       /* the last line was a status line */
    bool within;       /* the head has its status line, and not yet its blank line */
    bool ended;        /* the last line was the blank line of a head */
    bool done;         /* the blank line of a final head was read */
    bool transfer;     /* the head has a Transfer-Encoding */
    bool chunked;      /* ... that names chunked, which libcurl decodes */
    bool undone;       /* ... that names a coding which nothing decodes */
    bool encoded;      /* the head has a Content-Encoding */
    int64_t length;    /* Content-Length; -1 if none */
    const char *fault; /* static word for a line refused with SEPTET_EINVAL */
    enum spt_framing framing;
};

#define SPT_HEAD_MAX       (64 * 1024) /* bytes of a head that are kept */
#define SPT_HEAD_LINES_MAX 512

/* Finds the next line of a header in the lines of a head. `name` includes the colon. The search
 * begins at `*at`, which starts at 0 and is advanced past the line. Returns the value without the
 * blanks around it and its length in `*len`, or NULL if there are no more. Several lines of a list
 * are one list, so a reader of a list takes all of them (RFC 9110, 5.3). */
const char *spt_head_next(const struct spt_buf *lines, size_t *at, const char *name, size_t *len);

/* Returns the next element of a list, from `*p` on, which is advanced past it. Skips empty elements
 * and the blanks around one. Returns NULL at the end. */
const char *spt_head_list_next(const char **p, const char *end, size_t *len);

/* Reads one line, with its line end. Returns SEPTET_OK, SEPTET_ETOOBIG, SEPTET_ENOMEM, or
 * SEPTET_EINVAL with a word in `fault`:
 *   "upgrade": the server switches protocols without having been asked to
 *   "length": Content-Length is no number, has two that differ, or is folded
 *   "header": the first header line is folded, a line has a NUL, or blanks precede its colon
 *   "status_line": the head begins with no status line, or its status is not three digits
 *   "transfer_encoding": Transfer-Encoding is folded
 * Of requests, no line may be folded, names are tokens, and values have no control characters: else
 * "header". Other words are:
 *   "request_line": the first line is no method, target and version with one blank between them
 *   "version": the version is not 1.0 or another 1.x
 *   "transfer_encoding": it is not chunked alone, or stands beside a length or in HTTP/1.0 */
int spt_head_line(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len);

/* Appends a line that came behind the body to `buf`, after a CRLF. The blank line at the end is
 * left out. Returns like spt_head_line(), with "header" for a NUL and a folded first line. */
int spt_head_trailer(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len);

#endif
