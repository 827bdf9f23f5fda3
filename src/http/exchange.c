/* SPDX-License-Identifier: MIT */
/* Decides what follows a response by its head alone, so that its body can be discarded. */
#include "http/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "http/connection_options.h"
#include "http/cookies.h"
#include "http/head.h"
#include "http/headers.h"
#include "http/request.h"
#include "septet/septet.h"

static bool signs(const struct spt_request *r)
{
    return r->connection && r->connection->user;
}

void spt_exchange_first(struct spt_exchange *e, const struct spt_request *r,
                        struct spt_nonces *nonces, struct spt_jar *jar)
{
    *e = (struct spt_exchange){
        .n = 1,
        .withheld = signs(r) && (r->body_len > 0 || r->upload),
        .nonces = nonces,
        .jar = jar,
    };
    spt_buf_init(&e->cookies, SIZE_MAX / 2);
}

/* Returns true if a challenge may be answered: once, and once more if the nonce was stale.
 * Otherwise the server might challenge for ever. */
static bool may_answer(const struct spt_exchange *e)
{
    return !e->answered || (e->challenge.stale && !e->was_stale);
}

static int look_for_challenge(struct spt_exchange *e, const struct spt_request *r)
{
    spt_digest_release_challenge(&e->challenge);
    int rc = spt_digest_read_challenge(&e->challenge, &r->response->head, !r->upload);
    if (rc == SEPTET_OK && may_answer(e))
        e->follow = SPT_FOLLOW_ANSWER;
    return rc == SEPTET_ENOMEM ? rc : SEPTET_OK;
}

/* Returns true if `line` expects a 100-continue, by the rule that libcurl applies. */
static bool is_expectation(const char *line)
{
    return strncasecmp(line, "expect:", 7) == 0 && strcasestr(line + 7, "100-continue");
}

/* Returns true if the exchange expected a 100, and its body can be sent again. */
static bool may_drop_expect(const struct spt_exchange *e, const struct spt_request *r)
{
    if (e->without_expect || r->manner.once || (r->upload && r->upload->dropped))
        return false;
    for (const struct curl_slist *l = spt_headers_list(r->headers, false); l; l = l->next)
        if (is_expectation(l->data))
            return true;
    return false;
}

int spt_exchange_judge(struct spt_exchange *e, const struct spt_request *r, int status)
{
    e->follow = SPT_FOLLOW_NONE;
    if (status == 417 && may_drop_expect(e, r)) {
        /* RFC 9110, 10.1.1; libcurl would repeat the request unchanged, for ever */
        e->follow = SPT_FOLLOW_WITHOUT_EXPECT;
        return SEPTET_OK;
    }
    if (!signs(r) || e->n >= SPT_EXCHANGES_MAX)
        return SEPTET_OK;
    if (status == 401)
        return look_for_challenge(e, r);
    if (e->withheld && status < 300)
        e->follow = SPT_FOLLOW_BODY;
    return SEPTET_OK;
}

/* Joins a path and its query, which may be NULL. Returns NULL if memory is out. */
static char *join(const char *path, const char *query)
{
    size_t size = strlen(path) + (query ? strlen(query) + 1 : 0) + 1;
    char *target = malloc(size);
    if (target)
        snprintf(target, size, "%s%s%s", path, query ? "?" : "", query ? query : "");
    return target;
}

/* Returns the path and the query of a URL as libcurl sends them. The caller frees it with free().
 * Returns NULL if memory is out. */
static char *target_of(const char *url)
{
    char *path = NULL, *query = NULL, *target = NULL;
    CURLU *parser = curl_url();
    if (!parser)
        return NULL;
    if (curl_url_set(parser, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(parser, CURLUPART_PATH, &path, 0) == CURLUE_OK) {
        CURLUcode rc = curl_url_get(parser, CURLUPART_QUERY, &query, 0);
        if (rc == CURLUE_OK || rc == CURLUE_NO_QUERY)
            target = join(path, query);
    }
    curl_free(query);
    curl_free(path);
    curl_url_cleanup(parser);
    return target;
}

static int write_answer(struct spt_exchange *e, const struct spt_request *r)
{
    char *target = target_of(r->url);
    if (!target)
        return SEPTET_ENOMEM;
    struct spt_proof proof = {
        .method = r->method,
        .target = target,
        .user = r->connection->user,
        .password = r->connection->password ? r->connection->password : "",
        .body = r->body,
        .body_len = r->body_len,
    };
    free(e->line);
    e->line = spt_digest_line(&e->challenge, &proof, e->nonces);
    free(target);
    return e->line ? SEPTET_OK : SEPTET_ENOMEM;
}

int spt_exchange_next(struct spt_exchange *e, struct spt_request *r)
{
    if (e->follow == SPT_FOLLOW_ANSWER) {
        e->was_stale |= e->answered;
        e->answered = true;
        if (write_answer(e, r) != SEPTET_OK)
            return SEPTET_ENOMEM;
    }
    if (!e->withheld && r->upload && !spt_upload_rewind(r->upload))
        return SEPTET_EINVAL;
    if (e->follow == SPT_FOLLOW_WITHOUT_EXPECT) {
        e->without_expect = true;
    } else {
        e->withheld = false;
        e->n++;
    }
    e->follow = SPT_FOLLOW_NONE;
    r->response->body.unread = false;
    r->response->body.discarded = 0;
    return SEPTET_OK;
}

/* --- header lines --- */

/* Returns true if `line` has the script's own cookies. */
static bool is_cookie(const char *line)
{
    return strncasecmp(line, "cookie", 6) == 0 && (line[6] == ':' || line[6] == ';');
}

static int write_cookies(struct spt_exchange *e, const char *url, const struct curl_slist *own)
{
    struct spt_cookie_site site;
    while (own && !is_cookie(own->data))
        own = own->next;
    const char *value = own && own->data[6] == ':' ? own->data + 7 : NULL;
    while (value && *value == ' ')
        value++;
    spt_cookie_site_of(&site, url);
    e->cookies.len = 0;
    return spt_jar_line(e->jar, &site, value, time(NULL), &e->cookies);
}

int spt_exchange_headers(struct spt_exchange *e, const struct spt_request *r, bool with_body,
                         struct curl_slist **out)
{
    static char no_expectation[] = "Expect:";
    struct curl_slist *own = spt_headers_list(r->headers, with_body);
    *out = own;
    if (e->jar && write_cookies(e, r->url, own) != SEPTET_OK)
        return SEPTET_ENOMEM;
    const char *cookies = e->jar && e->cookies.len > 0 ? e->cookies.data : NULL;
    if (!e->line && !cookies && !e->without_expect)
        return SEPTET_OK;
    size_t n = 0, size = 2;
    for (const struct curl_slist *l = own; l; l = l->next)
        size++;
    struct curl_slist *nodes = realloc(e->nodes, size * sizeof *nodes);
    if (!nodes)
        return SEPTET_ENOMEM;
    e->nodes = *out = nodes;
    if (e->line)
        nodes[n++].data = e->line;
    if (cookies)
        nodes[n++].data = (char *)cookies;
    for (const struct curl_slist *l = own; l; l = l->next)
        if (!cookies || !is_cookie(l->data))
            nodes[n++].data =
                e->without_expect && is_expectation(l->data) ? no_expectation : l->data;
    for (size_t i = 0; i < n; i++)
        nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
    return SEPTET_OK;
}

int spt_exchange_take_cookies(struct spt_exchange *e, const struct spt_request *r)
{
    const struct spt_buf *head = &r->response->head;
    size_t at = 0, len;
    const char *text;
    struct spt_cookie_site site;
    int rc = SEPTET_OK;
    if (!e->jar)
        return rc;
    spt_cookie_site_of(&site, r->url);
    while (rc == SEPTET_OK && (text = spt_head_next(head, &at, "set-cookie:", &len)))
        rc = spt_jar_take(e->jar, &site, text, len, time(NULL));
    return rc;
}

void spt_exchange_release(struct spt_exchange *e)
{
    spt_digest_release_challenge(&e->challenge);
    free(e->line);
    free(e->nodes);
    spt_buf_release(&e->cookies);
    *e = (struct spt_exchange){0};
}
