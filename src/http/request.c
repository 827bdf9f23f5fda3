/* SPDX-License-Identifier: MIT */
/* Checks what its caller filled in, and records failures. */
#include "http/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/connection_options.h"
#include "http/headers.h"
#include "http/limiter.h"
#include "http/url.h"
#include "http/url_check.h"
#include "septet/septet.h"

enum { TEXT_SIZE = 256 }; /* bytes of a failure's text */

/* --- failures --- */

void spt_request_fail(struct spt_request *r, enum spt_phase phase, const char *code,
                      const char *reason, const char *text)
{
    r->failure.code = code;
    r->failure.reason = reason;
    r->failure.phase = phase;
    free(r->failure.text);
    r->failure.text = text ? strdup(text) : NULL;
}

void spt_request_deny(struct spt_request *r, enum spt_phase phase, struct spt_denial denial,
                      const char *what, const char *name, size_t len)
{
    char text[TEXT_SIZE];
    if (strcmp(denial.reason, SPT_DENIED_BY_EMBEDDER) == 0)
        snprintf(text, sizeof text, "%s '%.*s' is denied by the embedder", what, (int)len, name);
    else if (denial.rule)
        snprintf(text, sizeof text, "%s '%.*s' is denied by the rule '%s'", what, (int)len, name,
                 denial.rule);
    else
        snprintf(text, sizeof text, "%s '%.*s' is not among what is allowed", what, (int)len, name);
    spt_request_fail(r, phase, "denied", denial.reason, text);
}

/* --- checks --- */

static int refuse(struct spt_request *r, const char *code, const char *reason, const char *text)
{
    spt_request_fail(r, SPT_PHASE_QUEUED, code, reason, text);
    return SEPTET_EINVAL;
}

static int refuse_memory(struct spt_request *r)
{
    refuse(r, "memory", NULL, NULL);
    return SEPTET_ENOMEM;
}

static int check_method(struct spt_request *r)
{
    const char *m = r->method, *why = NULL;
    if (!spt_headers_is_token(m, strlen(m)))
        why = "the method is not a token";
    else if (strcmp(m, "CONNECT") == 0)
        why = "CONNECT is for proxies";
    else if (strcmp(m, "HEAD") == 0 && r->body)
        why = "a HEAD request has no body";
    if (!why)
        return SEPTET_OK;
    return refuse(r, "protocol", "method", why);
}

static const char *check_url(struct spt_request *r, struct spt_url_checker *urls,
                             const struct spt_url_origin **origin, char *text)
{
    const char *word = spt_url_check(urls, r->url, origin, &r->state.own_url, text, TEXT_SIZE);
    if (r->state.own_url)
        r->url = r->state.own_url;
    return word;
}

static int check_target(struct spt_request *r, struct spt_url_checker *urls,
                        const struct spt_url_origin **origin)
{
    int rc = check_method(r);
    if (rc != SEPTET_OK)
        return rc;
    char text[TEXT_SIZE];
    const char *word = check_url(r, urls, origin, text);
    if (!word)
        return SEPTET_OK;
    return strcmp(word, "memory") == 0 ? refuse_memory(r) : refuse(r, "url", word, text);
}

static int check_policy(struct spt_request *r, const struct spt_policy *policy,
                        const struct spt_url_origin *origin)
{
    if (!policy)
        return SEPTET_OK;
    struct spt_denial denial = spt_policy_host(policy, origin->host, origin->host_len, origin->port,
                                               &r->state.allowed_by_name);
    if (!denial.reason)
        return SEPTET_OK;
    spt_request_deny(r, SPT_PHASE_QUEUED, denial, "host", origin->host, origin->host_len);
    return SEPTET_EINVAL;
}

static int deny(struct spt_request *r, const char *what, const char *name, size_t len)
{
    const struct spt_denial denial = {.reason = SPT_DENIED_BY_EMBEDDER};
    spt_request_deny(r, SPT_PHASE_QUEUED, denial, what, name, len);
    return SEPTET_EINVAL;
}

/* Asks the embedder about the URL's host and the proxy that is named, or about the unix socket in
 * their place. libcurl takes a proxy from the environment, which is asked about by its address. */
static int check_permit(struct spt_request *r, const struct spt_permit *permit,
                        const struct spt_url_origin *origin)
{
    const struct spt_connection_options *options = r->connection;
    const char *proxy;
    if (!permit->ask)
        return SEPTET_OK;
    if (options && options->unix_socket)
        return spt_permit_unix(permit, options->unix_socket)
                   ? SEPTET_OK
                   : deny(r, "unix socket", options->unix_socket, strlen(options->unix_socket));
    if (!spt_permit_host(permit, origin->host, origin->host_len, origin->port))
        return deny(r, "host", origin->host, origin->host_len);
    if (options && options->proxy && !spt_permit_proxy(permit, options->proxy, &proxy))
        return deny(r, "proxy", proxy, strlen(proxy));
    return SEPTET_OK;
}

int spt_request_check(struct spt_request *r, struct spt_url_checker *urls,
                      const struct spt_policy *policy, const struct spt_permit *permit,
                      const struct spt_url_origin **origin)
{
    int rc = check_target(r, urls, origin);
    if (rc == SEPTET_OK)
        rc = check_policy(r, policy, *origin);
    return rc == SEPTET_OK ? check_permit(r, permit, *origin) : rc;
}

/* --- the record --- */

const char *spt_request_authority(const struct spt_request *r)
{
    return spt_url_authority(r->state.limiter_queue->key);
}

bool spt_request_is_sent(const struct spt_request *r, int64_t sent)
{
    if (r->upload)
        return r->upload->ended && spt_upload_left(r->upload) == 0;
    return sent >= (int64_t)r->body_len;
}

void spt_request_release(struct spt_request *r)
{
    spt_response_free(r->response);
    free(r->failure.text);
    free(r->state.own_url);
    r->response = NULL;
    r->failure.text = r->state.own_url = NULL;
}
