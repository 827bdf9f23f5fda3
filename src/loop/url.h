/* URLs, checked before anything is armed. It knows libcurl's parser and no requests. */
#ifndef SPT_LOOP_URL_H
#define SPT_LOOP_URL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#define SPT_URL_NOT_ASCII "not_ascii"
#define SPT_URL_KNOWN     8  /* origins remembered, by a hash of their text */
#define SPT_URL_KNOWN_LEN 80 /* bytes of "scheme://host:port", as written, that are remembered */

/* Scheme, host and port, which is what a connection is shared by: "http://host:80". */
struct spt_url_origin {
    char key[288]; /* a host name has at most 255 bytes */
    size_t len;
    const char *host; /* in the key; an address of IPv6 in its brackets */
    size_t host_len;
    int port;
    bool tls;
};

/* Checks URLs, and remembers the last origins that were found good: parsing one costs more than all
 * else that is done to start a request. */
struct spt_url_checker {
    CURLU *parser; /* owned */
    struct {
        size_t len; /* of `text`; 0: none */
        char text[SPT_URL_KNOWN_LEN];
        struct spt_url_origin origin;
    } known[SPT_URL_KNOWN];
};

/* Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_url_checker_init(struct spt_url_checker *c);
void spt_url_checker_release(struct spt_url_checker *c);

/* Checks an absolute http or https URL and fills in the origin. Returns NULL, or the static word
 * for what is wrong, with a sentence in `text`: "no_scheme", "scheme", "characters", "userinfo",
 * "host", "port", "malformed", "memory"; and SPT_URL_NOT_ASCII, without a sentence, for a host that is to be
 * written in ASCII first (loop/idn.h). The origin stays until the next check. */
const char *spt_url_check(struct spt_url_checker *c, const char *url,
                          const struct spt_url_origin **origin, char *text, size_t size);

/* Where `url`, which may be relative, points from the absolute URL `base`: written to `out`. It may have to
 * percent-encode: the length of the base, three times that of the URL, and 8 bytes are room enough. Returns NULL, or the static word for what is wrong. */
const char *spt_url_join(const char *base, const char *url, char *out, size_t size);

/* Returns where a Location points from the absolute URL `base`, to be freed by the caller; the Location itself where that
 * cannot be understood, for others to refuse. NULL out of memory. */
char *spt_url_locate(const char *base, const char *location, size_t len);

/* Takes what stands before the host out of an absolute URL. */
void spt_url_drop_user(char *url);

#endif
