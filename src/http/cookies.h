/* A session's cookies (RFC 6265), bounded. It knows hosts and paths, and no requests. */
#ifndef SPT_HTTP_COOKIES_H
#define SPT_HTTP_COOKIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "http/site.h"

enum {
    SPT_COOKIES_MAX = 3000,       /* in a jar; the one unused for longest goes first */
    SPT_COOKIES_DOMAIN_MAX = 180, /* of one domain */
    SPT_COOKIE_SIZE_MAX = 4096,   /* bytes of a name and its value; a larger one is not kept */
    SPT_COOKIES_SENT_MAX = 150,   /* with a request */
    SPT_COOKIE_LINE_MAX = 8190    /* bytes of the header; what does not fit is left out */
};

struct spt_jar {
    struct spt_link cookies;
    unsigned n;
    uint64_t serial; /* of the last one that was made, or used */
};

void spt_jar_init(struct spt_jar *jar);
void spt_jar_release(struct spt_jar *jar);

/* Takes the value of a Set-Cookie. `now` is Unix time. Returns SEPTET_OK, also where the cookie is
 * not kept, or SEPTET_ENOMEM. */
int spt_jar_take(struct spt_jar *jar, const struct spt_site *site, const char *text, size_t len,
                 int64_t now);

/* Writes "Cookie: ..." for a site, with a NUL: what the script gave, `own`, which may be NULL, and
 * behind it the jar's cookies of other names, each name once: the one with the longest path, or the
 * oldest. Writes nothing where there is nothing. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_jar_line(struct spt_jar *jar, const struct spt_site *site, const char *own, int64_t now,
                 struct spt_buf *out);

#endif
