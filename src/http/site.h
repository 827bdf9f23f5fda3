/* The sites of cookies: the host and the path of a URL. */
#ifndef SPT_HTTP_SITE_H
#define SPT_HTTP_SITE_H

#include <stdbool.h>
#include <stddef.h>

/* A site to which cookies are sent, or which sets them. */
struct spt_site {
    char host[256]; /* in lower case, without the brackets of an address */
    const char *path;
    size_t path_len;
    bool secure; /* https, or loopback */
};

/* Reads the site of an absolute URL that was checked. The path is the URL's own bytes. */
void spt_site_of(struct spt_site *site, const char *url);

/* Returns true if the host is an IP address. */
bool spt_site_is_address(const char *host);

/* Returns true if the host is the domain, or belongs to it (RFC 6265, 5.1.3). */
bool spt_site_is_below(const char *host, const char *domain, size_t domain_len);

/* Returns true if unrelated sites have domains below this one, as libcurl's libpsl knows. Without
 * libpsl, a domain without a dot is one. */
bool spt_site_is_public_suffix(const char *domain);

#endif
