/* SPDX-License-Identifier: MIT */
/* What the requests of a session share besides its connections and cookies: TLS sessions and given
 * addresses. It is set on a handle for each request and cleared before the handle is pooled, as the
 * next request may be another session's. */
#ifndef SPT_HTTP_SHARE_H
#define SPT_HTTP_SHARE_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_share {
    CURLSH *curl; /* owned: TLS sessions */
    /* owned share for requests without cookies; NULL if the session stores none */
    CURLSH *without_cookies;
    struct curl_slist *resolve; /* owned: entries for CURLOPT_RESOLVE */
};

/* Makes the shares; `cookies` says whether the session stores any. Copies the `n` entries of
 * `resolve`. Returns SEPTET_OK or SEPTET_ENOMEM. The caller releases it in either case. */
int spt_share_init(struct spt_share *s, bool cookies, const char *const *resolve, size_t n);

/* Frees the share. No handle may have it set. */
void spt_share_release(struct spt_share *s);

/* Sets the share of TLS sessions on a handle. Every handle needs one: without it, a handle makes a
 * list of TLS sessions of its own. libcurl up to 8.11 leaks that list when the handle is given a
 * share later. */
void spt_share_apply(const struct spt_share *s, CURL *curl, bool no_cookies);

/* Clears the share on a handle, which curl_easy_reset() does not. */
void spt_share_clear(const struct spt_share *s, CURL *curl);

#endif
