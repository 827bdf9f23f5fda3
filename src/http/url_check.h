/* SPDX-License-Identifier: MIT */
/* Checks the URLs of requests and remembers the origins of valid ones. libcurl's own parser is used
 * only to check that it sees the same host. */
#ifndef SPT_HTTP_URL_CHECK_H
#define SPT_HTTP_URL_CHECK_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/hostname.h"

#define SPT_URL_KNOWN     8  /* number of origins remembered, by a hash of their text */
#define SPT_URL_KNOWN_LEN 80 /* bytes of "scheme://host[:port]" that are remembered */

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
