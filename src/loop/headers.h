/* Header lines, out and in. It knows libcurl's list type for those sent; those received are bytes
 * in a buffer. */
#ifndef SPT_LOOP_HEADERS_H
#define SPT_LOOP_HEADERS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "loop/curl_driver.h"

/* Is it a token of RFC 9110: the shape of a method and of a header's name? */
bool spt_is_token(const char *s, size_t len);

/* For CURLOPT_HTTPHEADER; of NULL, the lines for a request without headers of its own. */
struct curl_slist *spt_headers_list(const struct spt_headers *headers, bool with_body);

/* Collects the head of a response. Earlier ones (1xx) are overwritten by later ones, lines after
 * the end of the final one (trailers) are passed over, until `done` is taken back. */
struct spt_head {
    unsigned lines; /* of all heads, against a flood */
    int status;
    int version;       /* 10, 11, 20 */
    bool begins;       /* the last line was a status line */
    bool ended;        /* ... the blank line of a head */
    bool done;         /* the blank line of a final head has come */
    bool chunked;      /* it has a Transfer-Encoding */
    bool encoded;      /* ... a Content-Encoding */
    int64_t length;    /* Content-Length; -1: none */
    const char *fault; /* static: the word for a line that was refused with SEPTET_EINVAL */
};

#define SPT_HEAD_MAX       (64 * 1024) /* bytes kept */
#define SPT_HEAD_LINES_MAX 512

/* The value of a header in the lines of a head, the first of its name; its length, 0 where there is none, goes to
 * `*len`. `name` has its colon. */
const char *spt_head_value(const struct spt_buf *lines, const char *name, size_t *len);

/* Takes one line, with its line end. Returns SEPTET_OK, SEPTET_ETOOBIG, SEPTET_ENOMEM, or SEPTET_EINVAL with a word in
 * `fault`: "upgrade" (nobody asked for it), "length" (no number, or two that differ), "header" (the
 * first is folded onto nothing), "status_line" (a status that is not three digits). */
int spt_head_line(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len);

#endif
