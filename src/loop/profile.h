/* What the connections of one session have of their own: the proxy, addresses given instead of looked up, the jar of
 * cookies, TLS. Put on a handle with each request, and taken off before it rests: the next may be another session's. */
#ifndef SPT_LOOP_PROFILE_H
#define SPT_LOOP_PROFILE_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_session_config;

struct spt_profile {
    char *proxy; /* owned; NULL: none */
    bool env_proxy;
    struct curl_slist *resolve;           /* owned */
    CURLSH *jar;                          /* owned; NULL: cookies are nobody's business */
    char *ca_file, *cert_file, *key_file; /* owned; NULL: none */
    bool insecure, tls13;
};

/* Copies what the config says. Returns SEPTET_OK or SEPTET_ENOMEM; release it in either case. */
int spt_profile_init(struct spt_profile *p, const struct spt_session_config *config);

/* No handle may have it on. */
void spt_profile_release(struct spt_profile *p);

CURLcode spt_profile_put_on(const struct spt_profile *p, CURL *curl);

/* Beside curl_easy_reset, which leaves some of it where it is. */
void spt_profile_take_off(const struct spt_profile *p, CURL *curl);

#endif
