/* What the requests of a session have in common. */
#include "loop/shared.h"

#include "loop/curl_driver.h"
#include "septet/septet.h"

static int copy_resolve(struct spt_shared *s, const struct spt_session_config *config)
{
    for (size_t i = 0; i < config->n_resolve; i++) {
        struct curl_slist *longer = curl_slist_append(s->resolve, config->resolve[i]);
        if (!longer)
            return SEPTET_ENOMEM;
        s->resolve = longer;
    }
    return SEPTET_OK;
}

int spt_shared_init(struct spt_shared *s, const struct spt_session_config *config)
{
    *s = (struct spt_shared){.curl = curl_share_init(), .cookies = config->cookies};
    if (!s->curl ||
        curl_share_setopt(s->curl, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
        return SEPTET_ENOMEM;
    if (s->cookies &&
        curl_share_setopt(s->curl, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) != CURLSHE_OK)
        return SEPTET_ENOMEM;
    return copy_resolve(s, config);
}

void spt_shared_release(struct spt_shared *s)
{
    curl_slist_free_all(s->resolve);
    if (s->curl)
        curl_share_cleanup(s->curl);
    *s = (struct spt_shared){0};
}

/* On every handle, also where nothing is shared: one that once ran without would have a store of TLS sessions of its
 * own, which libcurl forgets when it gets another. */
CURLcode spt_shared_put_on(const struct spt_shared *s, CURL *curl)
{
    curl_easy_setopt(curl, CURLOPT_SHARE, s->curl);
    if (s->resolve)
        curl_easy_setopt(curl, CURLOPT_RESOLVE, s->resolve);
    if (s->cookies)
        return curl_easy_setopt(curl, CURLOPT_COOKIEFILE, ""); /* no file: it switches them on */
    return CURLE_OK;
}

void spt_shared_take_off(const struct spt_shared *s, CURL *curl)
{
    if (s->resolve)
        curl_easy_setopt(curl, CURLOPT_RESOLVE, NULL);
    if (s->cookies)
        curl_easy_setopt(curl, CURLOPT_COOKIEFILE, NULL);
    curl_easy_setopt(curl, CURLOPT_SHARE, NULL);
}
