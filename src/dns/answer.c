/* SPDX-License-Identifier: MIT */
/* Writes addresses as text into one allocation per answer, and maps c-ares' statuses to words. */
#include "dns/answer.h"

#include <ares.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "septet/septet.h"

enum { ADDRESSES_MAX = 1 << 14 /* bytes of text */ };
enum { TTL_MIN = 1, TTL_MAX = 300 }; /* seconds */

struct spt_answer *spt_answer_new(const char *addresses, size_t len, unsigned generation)
{
    struct spt_answer *answer = malloc(sizeof *answer + len + 1);
    if (!answer)
        return NULL;
    *answer = (struct spt_answer){.refs = 1, .generation = generation};
    memcpy(answer->addresses, addresses, len);
    answer->addresses[len] = 0;
    return answer;
}

void spt_answer_drop(struct spt_answer *answer)
{
    if (answer && --answer->refs == 0)
        free(answer);
}

static int append_address(struct spt_buf *buf, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN + 3] = "[";
    bool v6 = address->sa_family == AF_INET6;
    const void *bytes = v6 ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                           : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    char *at = v6 ? text + 1 : text;
    if (!inet_ntop(address->sa_family, bytes, at, INET6_ADDRSTRLEN))
        return SEPTET_OK; /* skips an unknown family */
    if (v6)
        strcat(text, "]");
    int rc = buf->len > 0 ? spt_buf_append(buf, ",", 1) : SEPTET_OK;
    return rc == SEPTET_OK ? spt_buf_append(buf, text, strlen(text)) : rc;
}

struct spt_answer *spt_answer_read(const struct ares_addrinfo *info, unsigned generation)
{
    struct spt_buf buf;
    spt_buf_init(&buf, ADDRESSES_MAX);
    int rc = SEPTET_OK;
    for (const struct ares_addrinfo_node *n = info->nodes; n && rc == SEPTET_OK; n = n->ai_next)
        rc = append_address(&buf, n->ai_addr);
    struct spt_answer *answer = NULL;
    if (rc != SEPTET_ENOMEM)
        answer = spt_answer_new(buf.len > 0 ? buf.data : "", buf.len, generation);
    spt_buf_release(&buf);
    return answer;
}

int spt_answer_ttl(const struct ares_addrinfo *info)
{
    int ttl = TTL_MAX;
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next)
        ttl = n->ai_ttl < ttl ? n->ai_ttl : ttl;
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        ttl = c->ttl < ttl ? c->ttl : ttl;
    return ttl > TTL_MIN ? ttl : TTL_MIN;
}

const char *spt_answer_failure(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
    case ARES_EBADNAME: /* an invalid name does not exist either */
        return "not_found";
    case ARES_ETIMEOUT:
        return "timeout";
    case ARES_ECONNREFUSED:
        return "refused";
    case ARES_ENOMEM:
        return "memory";
    default:
        return "server";
    }
}

/* --- without a query --- */

static bool is_localhost(const char *host, size_t len)
{
    static const char name[] = ".localhost";
    size_t n = sizeof name - 1;
    if (len > 0 && host[len - 1] == '.')
        len--;
    return len >= n ? memcmp(host + len - n, name, n) == 0
                    : len == n - 1 && memcmp(host, name + 1, len) == 0;
}

bool spt_answer_literal(const char *host, size_t len, char out[SPT_HOST_MAX + 3])
{
    struct in_addr v4;
    if (is_localhost(host, len))
        strcpy(out, "[::1],127.0.0.1");
    else if (host[0] == '[' || inet_pton(AF_INET, host, &v4) == 1)
        strcpy(out, host);
    else if (strchr(host, ':'))
        out[0] = '[', strcpy(out + 1, host), strcat(out, "]");
    else
        return false;
    return true;
}
