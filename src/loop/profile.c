/* What a session's connections have of their own. */
#include "loop/profile.h"

#include <stdlib.h>
#include <string.h>

#include "loop/curl_driver.h"
#include "septet/septet.h"

static int copy_resolve(struct spt_profile *p, const struct spt_session_config *config)
{
    for (size_t i = 0; i < config->n_resolve; i++) {
        struct curl_slist *longer = curl_slist_append(p->resolve, config->resolve[i]);
        if (!longer)
            return SEPTET_ENOMEM;
        p->resolve = longer;
    }
    return SEPTET_OK;
}

static int make_jar(struct spt_profile *p)
{
    p->jar = curl_share_init();
    if (!p->jar || curl_share_setopt(p->jar, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) != CURLSHE_OK)
        return SEPTET_ENOMEM;
    return SEPTET_OK;
}

/* Returns false out of memory. */
static bool copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

int spt_profile_init(struct spt_profile *p, const struct spt_session_config *config)
{
    *p = (struct spt_profile){
        .env_proxy = config->env_proxy, .insecure = config->insecure, .tls13 = config->tls13};
    bool copied = copy(&p->proxy, config->proxy) && copy(&p->ca_file, config->ca_file) &&
                  copy(&p->cert_file, config->cert_file) && copy(&p->key_file, config->key_file);
    if (!copied || (config->cookies && make_jar(p) != SEPTET_OK))
        return SEPTET_ENOMEM;
    return copy_resolve(p, config);
}

void spt_profile_release(struct spt_profile *p)
{
    free(p->proxy);
    free(p->ca_file);
    free(p->cert_file);
    free(p->key_file);
    curl_slist_free_all(p->resolve);
    if (p->jar)
        curl_share_cleanup(p->jar);
    *p = (struct spt_profile){0};
}

static CURLcode put_tls_on(const struct spt_profile *p, CURL *curl)
{
    CURLcode rc = CURLE_OK;
    if (p->ca_file)
        rc = curl_easy_setopt(curl, CURLOPT_CAINFO, p->ca_file);
    if (rc == CURLE_OK && p->cert_file) {
        rc = curl_easy_setopt(curl, CURLOPT_SSLCERT, p->cert_file);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(curl, CURLOPT_SSLKEY, p->key_file);
    }
    if (p->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (p->tls13)
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    return rc;
}

CURLcode spt_profile_put_on(const struct spt_profile *p, CURL *curl)
{
    CURLcode rc = CURLE_OK;
    if (p->proxy || p->env_proxy) /* NULL: as the environment says */
        rc = curl_easy_setopt(curl, CURLOPT_PROXY, p->proxy);
    if (p->resolve)
        curl_easy_setopt(curl, CURLOPT_RESOLVE, p->resolve);
    if (rc == CURLE_OK && p->jar) {
        curl_easy_setopt(curl, CURLOPT_SHARE, p->jar);
        rc = curl_easy_setopt(curl, CURLOPT_COOKIEFILE, ""); /* no file: it switches them on */
    }
    return rc == CURLE_OK ? put_tls_on(p, curl) : rc;
}

void spt_profile_take_off(const struct spt_profile *p, CURL *curl)
{
    if (p->resolve)
        curl_easy_setopt(curl, CURLOPT_RESOLVE, NULL);
    if (p->jar) {
        curl_easy_setopt(curl, CURLOPT_COOKIEFILE, NULL);
        curl_easy_setopt(curl, CURLOPT_SHARE, NULL);
    }
}
