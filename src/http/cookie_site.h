/* SPDX-License-Identifier: MIT */
/* Cookie sites: the host and path of a URL. */
#ifndef SPT_HTTP_COOKIE_SITE_H
#define SPT_HTTP_COOKIE_SITE_H

#include <stdbool.h>
#include <stddef.h>

/* A site that cookies are sent to or set by. */
struct spt_cookie_site {
    char host[256]; /* in lower case; an address has no brackets */
    const char *path;
    size_t path_len;
    bool secure; /* true for https and for loopback hosts */
};

/* Reads the site of a checked, absolute URL. The path is borrowed from the URL. */
void spt_cookie_site_of(struct spt_cookie_site *site, const char *url);

/* Returns true if the host is an IP address. */
bool spt_cookie_site_is_address(const char *host);

/* Returns true if the host is the domain or a subdomain of it (RFC 6265, 5.1.3). */
bool spt_cookie_site_is_below(const char *host, const char *domain, size_t domain_len);

/* Returns true if a path covers the site's path (RFC 6265, 5.1.4). */
bool spt_cookie_site_has_path(const struct spt_cookie_site *site, const char *path, size_t len);

/* Returns true if unrelated sites have domains below this one, according to libcurl's libpsl.
 * Without libpsl, this holds for a domain without a dot. */
bool spt_cookie_site_is_public_suffix(const char *domain);

#endif
