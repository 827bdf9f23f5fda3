/* SPDX-License-Identifier: MIT */
/* Copies the options, and sets them on libcurl's handles. */
#include "http/connection_options.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "septet/septet.h"

/* Copies a text, which may be NULL. Returns false if out of memory. */
static bool copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

/* Returns a number that no other options of the process have. */
static uint64_t next_id(void)
{
    static _Atomic uint64_t last;
    return ++last;
}

/* Returns true if a handle may keep the options for the next request with the same ones. For a
 * proxy and for credentials, libcurl has state of its own, which may be of another server. */
static bool may_stay(const struct spt_connection_options *p)
{
    return !spt_connection_options_are_none(p) && !spt_connection_options_has_proxy(p) &&
           !p->unix_socket && !p->user;
}

int spt_connection_options_copy(struct spt_connection_options *p,
                                const struct spt_connection_options *from)
{
    *p = (struct spt_connection_options){.env_proxy = from->env_proxy,
                                         .insecure = from->insecure,
                                         .tls13 = from->tls13,
                                         .http2 = from->http2,
                                         .no_cookies = from->no_cookies};
    p->id = may_stay(from) ? next_id() : 0;
    bool copied = copy(&p->proxy, from->proxy) && copy(&p->ca_file, from->ca_file) &&
                  copy(&p->cert_file, from->cert_file) && copy(&p->key_file, from->key_file) &&
                  copy(&p->unix_socket, from->unix_socket) && copy(&p->user, from->user) &&
                  copy(&p->password, from->password);
    return copied ? SEPTET_OK : SEPTET_ENOMEM;
}

void spt_connection_options_release(struct spt_connection_options *p)
{
    free(p->proxy);
    free(p->ca_file);
    free(p->cert_file);
    free(p->key_file);
    free(p->unix_socket);
    free(p->user);
    free(p->password);
    *p = (struct spt_connection_options){0};
}

bool spt_connection_options_has_proxy(const struct spt_connection_options *p)
{
    return p && (p->proxy || p->env_proxy);
}

bool spt_connection_options_are_none(const struct spt_connection_options *p)
{
    return !p || !(p->proxy || p->env_proxy || p->ca_file || p->cert_file || p->unix_socket ||
                   p->user || p->insecure || p->tls13 || p->http2);
}

static CURLcode put_tls_on(const struct spt_connection_options *p, CURL *curl)
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

/* Sets the proxy; NULL selects the environment's, with the hosts that it exempts. These are not
 * exempt from a proxy that was named. */
static CURLcode put_proxy_on(const struct spt_connection_options *p, CURL *curl)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_PROXY, p->proxy);
    if (rc == CURLE_OK && !p->proxy)
        curl_easy_setopt(curl, CURLOPT_NOPROXY, NULL);
    return rc;
}

CURLcode spt_connection_options_apply(const struct spt_connection_options *p, CURL *curl)
{
    CURLcode rc = CURLE_OK;
    if (!p)
        return rc;
    if (spt_connection_options_has_proxy(p))
        rc = put_proxy_on(p, curl);
    if (rc == CURLE_OK && p->unix_socket)
        rc = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, p->unix_socket);
    return rc == CURLE_OK ? put_tls_on(p, curl) : rc;
}
