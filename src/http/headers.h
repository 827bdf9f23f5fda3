/* Header lines, out and in. It knows libcurl's list type for those sent; those received are bytes
 * in a buffer. */
#ifndef SPT_HTTP_HEADERS_H
#define SPT_HTTP_HEADERS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Is it a token of RFC 9110: the shape of a method and of a header's name? */
bool spt_is_token(const char *s, size_t len);

struct spt_headers;

/* Makes a list from `n` pairs. Names must be tokens, values free of CR, LF and NUL; Content-Length,
 * Transfer-Encoding and a second Host are refused (the body decides). Returns SEPTET_OK,
 * SEPTET_ENOMEM, or SEPTET_EINVAL with the reason (a static text) in `*why` and the pair's index in
 * `*at`. An empty value is sent as an empty header. */
struct spt_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
int spt_headers_new(struct spt_headers **out, const struct spt_header *pairs, size_t n,
                    const char **why, size_t *at);
void spt_headers_free(struct spt_headers *headers);

/* For CURLOPT_HTTPHEADER; of NULL, the lines for a request without headers of its own. */
struct curl_slist *spt_headers_list(const struct spt_headers *headers, bool with_body);

/* What the line before was, where a folded line would change how the body is framed. */
enum spt_framing {
    SPT_FRAMING_NONE,
    SPT_FRAMING_LENGTH,
    SPT_FRAMING_TRANSFER,
};

/* Collects the head of a response. Earlier ones (1xx) are overwritten by later ones, lines after
 * the end of the final one (trailers) are passed over, until `done` is taken back. */
struct spt_head {
    unsigned lines;  /* of all heads, against a flood */
    unsigned fields; /* lines of this head behind its status line, but for folded ones */
    int status;
    int version;       /* 10, 11, 20 */
    bool begins;       /* the last line was a status line */
    bool within;       /* a status line has come, and not yet the blank line of its head */
    bool ended;        /* the last line was the blank line of a head */
    bool done;         /* the blank line of a final head has come */
    bool response;     /* it has a Transfer-Encoding */
    bool chunked;      /* ... which names chunked: libcurl undoes that */
    bool undone;       /* ... and which names something that nobody undoes */
    bool encoded;      /* it has a Content-Encoding */
    int64_t length;    /* Content-Length; -1: none */
    const char *fault; /* static: the word for a line that was refused with SEPTET_EINVAL */
    enum spt_framing framing;
};

#define SPT_HEAD_MAX       (64 * 1024) /* bytes kept */
#define SPT_HEAD_LINES_MAX 512

/* Finds the next line of a header in the lines of a head, from `*at` on, which begins with 0 and is
 * moved behind that line. Returns its value, without the blanks around it, and the length of that
 * in `*len`; NULL where there are no more. `name` has its colon. A reader of a list takes all lines
 * of it: they are one list (RFC 9110, 5.3). */
const char *spt_head_next(const struct spt_buf *lines, size_t *at, const char *name, size_t *len);

/* Takes the next element of a list, from `*p` on, which is moved behind it. Empty elements are
 * passed over, as are the blanks around one. Returns NULL at the end. */
const char *spt_list_next(const char **p, const char *end, size_t *len);

/* Takes one line, with its line end. Returns SEPTET_OK, SEPTET_ETOOBIG, SEPTET_ENOMEM, or
 * SEPTET_EINVAL with a word in `fault`: "upgrade" (nobody asked for it), "length" (no number, or
 * two that differ), "header" (the first is folded onto nothing, or it has a NUL), "status_line"
 * (the first line of a head is none, or its status is not three digits), "transfer_encoding" (it is
 * folded). */
int spt_head_line(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len);

#endif
