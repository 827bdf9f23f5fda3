/* SPDX-License-Identifier: MIT */
/* Shares TLS sessions by CURLSH: one for all handles of a session, or two if the session stores
 * cookies, so that a request without cookies resumes no TLS session of a request with them. */
#include "http/share.h"

#include "septet/septet.h"

static int copy_resolve(struct spt_share *s, const char *const *resolve, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct curl_slist *longer = curl_slist_append(s->resolve, resolve[i]);
        if (!longer)
            return SEPTET_ENOMEM;
        s->resolve = longer;
    }
    return SEPTET_OK;
}

/* Returns a new CURLSH, or NULL if out of memory. */
static CURLSH *new_share(void)
{
    CURLSH *share = curl_share_init();
    if (share &&
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK)
        return share;
    curl_share_cleanup(share);
    return NULL;
}

int spt_share_init(struct spt_share *s, bool cookies, const char *const *resolve, size_t n)
{
    *s = (struct spt_share){.curl = new_share()};
    s->without_cookies = cookies ? new_share() : NULL;
    if (!s->curl || (cookies && !s->without_cookies))
        return SEPTET_ENOMEM;
    return copy_resolve(s, resolve, n);
}

void spt_share_release(struct spt_share *s)
{
    curl_slist_free_all(s->resolve);
    curl_share_cleanup(s->curl);
    curl_share_cleanup(s->without_cookies);
    *s = (struct spt_share){0};
}

void spt_share_apply(const struct spt_share *s, CURL *curl, bool no_cookies)
{
    curl_easy_setopt(curl, CURLOPT_SHARE,
                     no_cookies && s->without_cookies ? s->without_cookies : s->curl);
}

void spt_share_clear(const struct spt_share *s, CURL *curl)
{
    if (s->resolve)
        curl_easy_setopt(curl, CURLOPT_RESOLVE, NULL);
    curl_easy_setopt(curl, CURLOPT_SHARE, NULL);
}
