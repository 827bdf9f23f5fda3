/* SPDX-License-Identifier: MIT */
/* URLs: parsed once into parts and written in a normal form, which policies check and libcurl gets.
 * It knows no requests. libcurl's own parser is used only to check that it sees the same host. */
#ifndef SPT_HTTP_URL_H
#define SPT_HTTP_URL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "http/hostname.h"

#define SPT_URL_KNOWN     8  /* number of origins remembered, by a hash of their text */
#define SPT_URL_KNOWN_LEN 80 /* bytes of "scheme://host[:port]" that are remembered */

/* --- parts --- */

/* An http or https URL, in the normal form of WHATWG's standard:
 * "scheme://host[:port]/path[?query][#fragment]". It has a port only if that is not the scheme's
 * default, and it has no dot segments. Bytes that must not appear literally are percent-encoded.
 * What is encoded already stays. */
struct spt_url {
    char *text; /* owned */
    /* offsets of their beginnings and of the end; a query has its '?', a fragment its '#' */
    size_t path, query, fragment, len;
    struct spt_hostname host;
    int port;
    bool tls;
};

/* Which references are allowed, and where they may lead: */
enum spt_url_way {
    SPT_URL_ABSOLUTE, /* it has a scheme, and there is no base */
    SPT_URL_LINK,     /* anywhere from the base, like a link in a document */
    SPT_URL_BELOW     /* like ABSOLUTE, or on the base's host without naming any */
};

/* Resolves a reference against a base (RFC 3986, 5.2); `base` may be NULL. Returns NULL and a URL
 * that the caller releases, or the static word for what is wrong. The words are "no_scheme",
 * "scheme" (neither http nor https), "userinfo", "host", "port", "memory" and "characters". The
 * last stands for a control character, a blank at an end, or a backslash before the query. */
const char *spt_url_resolve(struct spt_url *url, const struct spt_url *base, const char *reference,
                            size_t len, enum spt_url_way way);
void spt_url_release(struct spt_url *url);

/* The maximum size in bytes of a URL resolved from a reference of `len` bytes. Its base must itself
 * have been resolved from `base_len` bytes. */
#define SPT_URL_ROOM(base_len, len) (3 * (base_len) + 3 * (len) + 2 * SPT_HOSTNAME_SIZE + 32)

/* --- origins --- */

/* Scheme, host and port, by which connections are shared: "http://host:80". */
struct spt_url_origin {
    char key[SPT_HOSTNAME_SIZE + 16];
    size_t len;
    const char *host; /* in the key; an IPv6 address has its brackets */
    size_t host_len;
    int port;
    bool tls;
};

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

/* --- cached checks --- */

/* Checks URLs and remembers the origins of the last valid ones. Parsing a URL costs more than all
 * else that starting a request takes. */
struct spt_url_checker {
    CURLU *parser; /* owned */
    struct {
        size_t len;                   /* of `text`; 0 if the entry is empty */
        char text[SPT_URL_KNOWN_LEN]; /* as in a URL of the normal form */
        struct spt_url_origin origin;
    } known[SPT_URL_KNOWN];
};

/* Initialises the checker. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_url_checker_init(struct spt_url_checker *c);
void spt_url_checker_release(struct spt_url_checker *c);

/* Checks an absolute URL and fills in the origin, which is valid until the next check. If the URL
 * is not in the normal form, `*rebuilt` is that form, owned by the caller; else it is NULL. Returns
 * NULL, or the word for what is wrong, with a sentence in `text`. */
const char *spt_url_check(struct spt_url_checker *c, const char *url,
                          const struct spt_url_origin **origin, char **rebuilt, char *text,
                          size_t size);

#endif
