/* URLs, checked before anything is armed. It knows libcurl's parser and no requests. */
#ifndef SPT_LOOP_URL_H
#define SPT_LOOP_URL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/* Scheme, host and port, which is what a connection is shared by: "http://host:80". */
struct spt_url_origin {
    char key[288]; /* a host name has at most 255 bytes */
    size_t len;
    bool tls;
};

/* Checks an absolute http or https URL and fills in the origin. Returns NULL, or the static word
 * for what is wrong, with a sentence in `text`: "no_scheme", "scheme", "characters", "userinfo",
 * "host", "port", "malformed", "memory". `u` is scratch. */
const char *spt_url_check(CURLU *u, const char *url, struct spt_url_origin *origin, char *text,
                          size_t size);

#endif
