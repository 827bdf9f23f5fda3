/* SPDX-License-Identifier: MIT */
/* Set-Cookie headers (RFC 6265, 5.2 and 5.3): reads one and checks that its site may set it. It
 * knows no jar. */
#ifndef SPT_HTTP_SET_COOKIE_H
#define SPT_HTTP_SET_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spt_cookie_site;

enum { SPT_COOKIE_SIZE_MAX = 4096 }; /* bytes of a name and its value; a larger one is rejected */

/* A part of a text; borrowed. */
struct spt_piece {
    const char *at;
    size_t len;
};

/* The cookie of a Set-Cookie header; the pieces are those of the header, the site or `room`. */
struct spt_set_cookie {
    struct spt_piece name, value, domain, path;
    int64_t expires; /* Unix time in seconds; INT64_MAX: with the session */
    int64_t max_age; /* seconds; INT64_MIN: not given */
    bool secure;
    bool host_only;
    bool http_only;
    char room[256]; /* the domain */
};

/* Reads a Set-Cookie value. `now` is Unix time in seconds. Returns false if it is not a cookie, or
 * not one that the site may set. */
bool spt_set_cookie_read(struct spt_set_cookie *w, const struct spt_cookie_site *site,
                         const char *text, size_t len, int64_t now);

/* Checks a cookie that a script sets: its name, value, path, domain, `secure`, `host_only` and
 * `expires`. Makes the domain that of hosts in normal form, in `room`, and `host_only` true if the
 * domain is an address. Returns NULL, or what is wrong as a static text. */
const char *spt_set_cookie_check(struct spt_set_cookie *cookie);

/* Returns the text from `at` to `end` without the blanks around it. */
struct spt_piece spt_set_cookie_trim(const char *at, const char *end);

/* Returns true if the piece is this text. */
bool spt_set_cookie_same(struct spt_piece a, const char *b, size_t len);

#endif
