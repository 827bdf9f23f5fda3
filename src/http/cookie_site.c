/* SPDX-License-Identifier: MIT */
/* Takes sites from URLs, which were checked before and are thus in normal form. */
#include "http/cookie_site.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/library.h"
#include "http/url.h"

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           strcmp(host, "::1") == 0;
}

void spt_cookie_site_of(struct spt_cookie_site *site, const char *url)
{
    const char *authority = spt_url_authority(url);
    size_t len = strcspn(authority, "/?#");
    const char *host = authority, *path = authority + len;
    bool bracketed = host[0] == '[';
    size_t n = strcspn(host, bracketed ? "]/?#" : ":/?#");
    if (bracketed) {
        host++;
        n--;
    }
    if (n > 0 && host[n - 1] == '.')
        n--;
    if (n >= sizeof site->host)
        n = sizeof site->host - 1;
    for (size_t i = 0; i < n; i++)
        site->host[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] | 0x20) : host[i];
    site->host[n] = '\0';
    site->path = *path == '/' ? path : "/";
    site->path_len = *path == '/' ? strcspn(path, "?#") : 1;
    site->secure = spt_url_is_https(url) || is_loopback(site->host);
}

bool spt_cookie_site_is_public_suffix(const char *domain)
{
    typedef const void *builtin_fn(void);
    typedef int is_fn(const void *, const char *);
    builtin_fn *builtin = (builtin_fn *)spt_library_find(SPT_LIBRARY_CURL, "psl_builtin");
    is_fn *is_suffix = (is_fn *)spt_library_find(SPT_LIBRARY_CURL, "psl_is_public_suffix");
    const void *list = builtin && is_suffix ? builtin() : NULL;
    return list ? is_suffix(list, domain) != 0 : !strchr(domain, '.');
}

bool spt_cookie_site_is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

bool spt_cookie_site_is_below(const char *host, const char *domain, size_t domain_len)
{
    size_t len = strlen(host);
    if (len < domain_len || memcmp(host + len - domain_len, domain, domain_len) != 0)
        return false;
    return len == domain_len ||
           (host[len - domain_len - 1] == '.' && !spt_cookie_site_is_address(host));
}

bool spt_cookie_site_has_path(const struct spt_cookie_site *site, const char *path, size_t len)
{
    if (site->path_len < len || memcmp(site->path, path, len) != 0)
        return false;
    return site->path_len == len || path[len - 1] == '/' || site->path[len] == '/';
}
