/* URLs: read once into parts, put together again in one form, which is what rules judge and what
 * libcurl gets. It knows no requests; libcurl's own parser is asked only whether it sees the same
 * host. */
#ifndef SPT_HTTP_URL_H
#define SPT_HTTP_URL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/host.h"

#define SPT_URL_KNOWN     8  /* origins remembered, by a hash of their text */
#define SPT_URL_KNOWN_LEN 80 /* bytes of "scheme://host[:port]" that are remembered */

/* --- parts --- */

/* An http or https URL, in the form that WHATWG's standard gives it:
 * "scheme://host[:port]/path[?query][#fragment]", with the port only if it is not the scheme's own,
 * without dot segments, and with all bytes percent-encoded that may not stand where they are. What
 * is encoded already stays. */
struct spt_url {
    char *text; /* owned */
    size_t path, query, fragment,
        len; /* where they begin and it ends; a query has its '?', a fragment its '#' */
    struct spt_host host;
    int port;
    bool tls;
};

/* Where a reference leads to, and may: */
enum spt_url_way {
    SPT_URL_ABSOLUTE, /* it has a scheme, and there is no base */
    SPT_URL_LINK,     /* anywhere from the base, as a link in a document */
    SPT_URL_BELOW     /* as ABSOLUTE, or to what is on the base's own host without naming any */
};

/* Resolves a reference against a base (RFC 3986, 5.2). `base` may be NULL where there is none.
 * Returns NULL and a URL to be released; or the static word for what is wrong: "characters" (a
 * control character, a blank at an end, a backslash before the query), "no_scheme", "scheme"
 * (neither http nor https), "userinfo", "host", "port", "memory". */
const char *spt_url_resolve(struct spt_url *url, const struct spt_url *base, const char *reference,
                            size_t len, enum spt_url_way way);
void spt_url_release(struct spt_url *url);

/* Bytes that a URL takes at most which was resolved from a reference of `len` bytes and a base that
 * was itself resolved from `base_len`. */
#define SPT_URL_ROOM(base_len, len) (3 * (base_len) + 3 * (len) + 2 * SPT_HOST_SIZE + 32)

/* --- origins --- */

/* Scheme, host and port, which is what a connection is shared by: "http://host:80". */
struct spt_url_origin {
    char key[SPT_HOST_SIZE + 16];
    size_t len;
    const char *host; /* in the key; an address of IPv6 in its brackets */
    size_t host_len;
    int port;
    bool tls;
};

/* --- checks, with a memory --- */

/* Checks URLs, and remembers the last origins that were found good: parsing one costs more than all
 * else that is done to start a request. */
struct spt_url_checker {
    CURLU *parser; /* owned */
    struct {
        size_t len;                   /* of `text`; 0: none */
        char text[SPT_URL_KNOWN_LEN]; /* as it stands in a URL of the one form */
        struct spt_url_origin origin;
    } known[SPT_URL_KNOWN];
};

/* Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_url_checker_init(struct spt_url_checker *c);
void spt_url_checker_release(struct spt_url_checker *c);

/* Checks an absolute URL and fills in the origin, which stays until the next check. If the URL is
 * not in its one form, `*rebuilt` is, owned by the caller; else it is NULL. Returns NULL, or the
 * word for what is wrong, with a sentence in `text`. */
const char *spt_url_check(struct spt_url_checker *c, const char *url,
                          const struct spt_url_origin **origin, char **rebuilt, char *text,
                          size_t size);

#endif
