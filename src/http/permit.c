/* SPDX-License-Identifier: MIT */
/* Writes each subject as "host:port", with an IPv6 address in brackets. */
#include "http/permit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "http/hostname.h"
#include "septet/septet.h"

enum {
    SUBJECT_SIZE = SPT_HOSTNAME_SIZE + 16, /* bytes of a host and a port, with the NUL */
    PATH_SIZE = 128,                       /* of a unix socket */
    PROXY_PORT = 1080,                     /* libcurl's, if a proxy's URL has none */
    HTTPS_PROXY_PORT = 443,
    DNS_PORT = 53
};

static bool ask(const struct spt_permit *permit, const char *subject)
{
    return permit->ask(permit->ud, SEPTET_PERMIT_CONNECT, subject) != 0;
}

bool spt_permit_host(const struct spt_permit *permit, const char *host, size_t len, int port)
{
    char subject[SUBJECT_SIZE];
    if (!permit->ask)
        return true;
    snprintf(subject, sizeof subject, "%.*s:%d", (int)len, host, port);
    return ask(permit, subject);
}

/* Asks about a host that may have a port. */
static bool ask_authority(const struct spt_permit *permit, const char *text, size_t len, int port)
{
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof subject, "%.*s", (int)len, text);
    const char *end_of_address = strchr(subject, ']');
    if (strchr(end_of_address ? end_of_address : subject, ':'))
        return ask(permit, subject);
    return spt_permit_host(permit, text, len, port);
}

bool spt_permit_proxy(const struct spt_permit *permit, const char *url, const char **authority)
{
    const char *scheme_end = strstr(url, "://"), *user_end = strrchr(url, '@');
    *authority = user_end ? user_end + 1 : scheme_end ? scheme_end + 3 : url;
    if (!permit->ask)
        return true;
    bool tls = strncmp(url, "https:", 6) == 0;
    return ask_authority(permit, *authority, strlen(*authority),
                         tls ? HTTPS_PROXY_PORT : PROXY_PORT);
}

bool spt_permit_unix(const struct spt_permit *permit, const char *path)
{
    char subject[PATH_SIZE];
    if (!permit->ask)
        return true;
    snprintf(subject, sizeof subject, "unix:%s", path);
    return ask(permit, subject);
}

bool spt_permit_address(const struct spt_permit *permit, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    if (!permit->ask)
        return true;
    if (address->sa_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text))
        return spt_permit_text(permit, text, ntohs(v4->sin_port));
    if (address->sa_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text))
        return spt_permit_text(permit, text, ntohs(v6->sin6_port));
    return true;
}

bool spt_permit_text(const struct spt_permit *permit, const char *address, int port)
{
    char subject[INET6_ADDRSTRLEN + 16];
    if (!permit->ask)
        return true;
    snprintf(subject, sizeof subject, strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, port);
    return ask(permit, subject);
}

const char *spt_permit_servers(const struct spt_permit *permit, const char *servers)
{
    for (const char *at = servers; permit->ask && *at; at += *at == ',') {
        size_t len = strcspn(at, ",");
        if (!ask_authority(permit, at, len, DNS_PORT))
            return at;
        at += len;
    }
    return NULL;
}
