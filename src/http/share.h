/* What the requests of a session have in common beside its connections and its cookies: TLS
 * sessions, addresses given instead of looked up. Put on a handle with each request, and taken off
 * before it rests: the next may be another session's. */
#ifndef SPT_HTTP_SHARE_H
#define SPT_HTTP_SHARE_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_session_config;

struct spt_share {
    CURLSH *curl; /* owned: TLS sessions */
    /* owned: those of requests that leave the cookies alone; NULL: there are none */
    CURLSH *without_cookies;
    struct curl_slist *resolve; /* owned */
};

/* Copies what the config says. Returns SEPTET_OK or SEPTET_ENOMEM; release it in either case. */
int spt_share_init(struct spt_share *s, const struct spt_session_config *config);

/* No handle may have it on. */
void spt_share_release(struct spt_share *s);

/* Each handle shares something: one that does not makes a list of TLS sessions of its own, which
 * libcurl up to 8.11 loses when it is to share the next time. */
void spt_share_apply(const struct spt_share *s, CURL *curl, bool no_cookies);

/* curl_easy_reset leaves it where it is. */
void spt_share_clear(const struct spt_share *s, CURL *curl);

#endif
