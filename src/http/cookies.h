/* SPDX-License-Identifier: MIT */
/* A session's cookies (RFC 6265), bounded in number. It knows hosts and paths, not requests. */
#ifndef SPT_HTTP_COOKIES_H
#define SPT_HTTP_COOKIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/cookie_site.h"
#include "http/set_cookie.h"

enum {
    SPT_COOKIES_MAX = 3000,       /* number in a jar; the least recently used is evicted */
    SPT_COOKIES_DOMAIN_MAX = 180, /* number of one domain */
    SPT_COOKIES_SENT_MAX = 150,   /* number sent with a request */
    SPT_COOKIE_LINE_MAX = 8190    /* bytes of the header; cookies that do not fit are left out */
};

struct spt_cookie {
    struct spt_link link;
    uint64_t made, used; /* serial numbers of the creation and of the last use */
    int64_t expires;     /* Unix time in seconds; INT64_MAX: with the session */
    const char *name, *value, *domain, *path;
    size_t name_len, value_len, domain_len, path_len;
    bool host_only, secure, http_only;
    char text[];
};

struct spt_jar {
    struct spt_link cookies;
    unsigned n;
    uint64_t serial; /* of the last cookie that was made or used */
};

void spt_jar_init(struct spt_jar *jar);
void spt_jar_release(struct spt_jar *jar);

/* Stores the cookie of a Set-Cookie value. `now` is Unix time in seconds. Returns SEPTET_OK, also
 * if the cookie is rejected, or SEPTET_ENOMEM. */
int spt_jar_take(struct spt_jar *jar, const struct spt_cookie_site *site, const char *text,
                 size_t len, int64_t now);

/* Stores a cookie that was checked, or drops the one that it replaces if it has expired. Returns
 * SEPTET_OK or SEPTET_ENOMEM. */
int spt_jar_put(struct spt_jar *jar, const struct spt_set_cookie *cookie, int64_t now);

/* Returns the cookie after this one, or the first for NULL, in the order in which they were set.
 * Returns NULL at the end. Those that have expired may still be there. */
const struct spt_cookie *spt_jar_next(const struct spt_jar *jar, const struct spt_cookie *cookie);

/* Returns true if the site gets the cookie. */
bool spt_jar_sends(const struct spt_cookie *cookie, const struct spt_cookie_site *site,
                   int64_t now);

/* Drops the cookies with this name, domain and path, each of which is any if its `at` is NULL.
 * Returns their number. */
unsigned spt_jar_clear(struct spt_jar *jar, struct spt_piece name, struct spt_piece domain,
                       struct spt_piece path);

/* Writes the header "Cookie: ..." for a site, with a NUL. The script's own cookies, `own`, which
 * may be NULL, come first. The jar's cookies of other names follow, each name once: the one with
 * the longest path, or the oldest of those. Writes nothing if there are no cookies. Returns
 * SEPTET_OK or SEPTET_ENOMEM. */
int spt_jar_line(struct spt_jar *jar, const struct spt_cookie_site *site, const char *own,
                 int64_t now, struct spt_buf *out);

#endif
