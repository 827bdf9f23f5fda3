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

enum {
    SPT_COOKIES_MAX = 3000,       /* number in a jar; the least recently used is evicted */
    SPT_COOKIES_DOMAIN_MAX = 180, /* number of one domain */
    SPT_COOKIES_SENT_MAX = 150,   /* number sent with a request */
    SPT_COOKIE_LINE_MAX = 8190    /* bytes of the header; cookies that do not fit are left out */
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

/* Writes the header "Cookie: ..." for a site, with a NUL. The script's own cookies, `own`, which
 * may be NULL, come first. The jar's cookies of other names follow, each name once: the one with
 * the longest path, or the oldest of those. Writes nothing if there are no cookies. Returns
 * SEPTET_OK or SEPTET_ENOMEM. */
int spt_jar_line(struct spt_jar *jar, const struct spt_cookie_site *site, const char *own,
                 int64_t now, struct spt_buf *out);

#endif
