/* SPDX-License-Identifier: MIT */
/* URLs: parsed once into parts and written in a normal form, which policies check and libcurl gets.
 * It knows no requests. */
#ifndef SPT_HTTP_URL_H
#define SPT_HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "http/hostname.h"

/* --- parts --- */

/* A URL in the normal form of WHATWG's standard, as http and https have it:
 * "scheme://host[:port]/path[?query][#fragment]". It has a port only if that is not the scheme's
 * default, and it has no dot segments. Bytes that must not appear literally are percent-encoded.
 * What is encoded already stays.
 *
 * A URL of another scheme may have no authority, and an empty host. Only ws, wss and ftp have hosts
 * that are read like those of http. */
struct spt_url {
    char *text; /* owned */
    /* offsets of their beginnings and of the end; a query has its '?', a fragment its '#' */
    size_t path, query, fragment, len;
    size_t scheme;               /* bytes of the scheme, without its colon; 0: none */
    size_t host_start, host_end; /* a user and its '@' stand between "//" and the host */
    struct spt_hostname host;    /* of http, https, ws, wss and ftp */
    int port;                    /* the scheme's, if none is given; 0: none is known */
    bool tls;
    bool has_authority;
};

/* Which references are allowed, and where they may lead: */
enum spt_url_way {
    SPT_URL_ABSOLUTE, /* it has a scheme, and there is no base */
    SPT_URL_LINK,     /* anywhere from the base, like a link in a document */
    SPT_URL_BELOW,    /* like ABSOLUTE, or on the base's host without naming any */
    SPT_URL_ANY       /* anywhere, in any scheme, with a user; without a base it may be relative */
};

/* Resolves a reference against a base (RFC 3986, 5.2); `base` may be NULL. Returns NULL and a URL
 * that the caller releases, or the static word for what is wrong. The words are "no_scheme",
 * "scheme" (neither http nor https), "userinfo", "host", "port", "memory" and "characters". The
 * last stands for a control character, a blank at an end, or a backslash before the query. */
const char *spt_url_resolve(struct spt_url *url, const struct spt_url *base, const char *reference,
                            size_t len, enum spt_url_way way);
void spt_url_release(struct spt_url *url);

/* Returns the length of the scheme at the beginning of a text, which a colon follows, or 0. */
size_t spt_url_scheme_len(const char *text, size_t len);

/* Returns the offset of the first byte for which the word is "characters", or `len`. */
size_t spt_url_bad_byte(const char *text, size_t len);

/* The maximum size in bytes of a URL resolved from a reference of `len` bytes. Its base must itself
 * have been resolved from `base_len` bytes. */
#define SPT_URL_ROOM(base_len, len) (3 * (base_len) + 3 * (len) + 2 * SPT_HOSTNAME_SIZE + 32)

/* --- parts of a URL that was checked, or of an origin's key --- */

/* Returns what follows the scheme. */
static inline const char *spt_url_authority(const char *url)
{
    const char *scheme_end = strstr(url, "://");
    return scheme_end ? scheme_end + 3 : url;
}

static inline bool spt_url_is_https(const char *url)
{
    return (url[4] | 0x20) == 's';
}

#endif
