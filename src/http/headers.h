/* SPDX-License-Identifier: MIT */
/* Header lines of requests, in libcurl's list type. */
#ifndef SPT_HTTP_HEADERS_H
#define SPT_HTTP_HEADERS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns true if `s` is a token of RFC 9110, the form of methods and header names. */
bool spt_headers_is_token(const char *s, size_t len);

struct spt_headers;

/* Makes a list from `n` pairs. Names must be tokens, and values must not contain CR, LF or NUL.
 * Content-Length, Transfer-Encoding and a second Host are refused, as the body decides the framing.
 * An empty value is sent as an empty header. Returns SEPTET_OK, SEPTET_ENOMEM, or SEPTET_EINVAL
 * with the reason (a static text) in `*why` and the pair's index in `*at`. */
struct spt_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
int spt_headers_new(struct spt_headers **out, const struct spt_header *pairs, size_t n,
                    const char **why, size_t *at);
void spt_headers_free(struct spt_headers *headers);

/* Returns the list for CURLOPT_HTTPHEADER, borrowed. NULL stands for a request without headers of
 * its own. */
struct curl_slist *spt_headers_list(const struct spt_headers *headers, bool with_body);

#endif
