/* SPDX-License-Identifier: MIT */
/* What the embedder permits: a callback that is asked about each connection, by the name of its
 * target, and then by its address. It knows neither requests nor libcurl. */
#ifndef SPT_HTTP_PERMIT_H
#define SPT_HTTP_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* The reason of what the embedder denies. */
#define SPT_DENIED_BY_EMBEDDER "permit"

struct spt_permit {
    /* called with SEPTET_PERMIT_CONNECT; may not call back. NULL: everything is permitted */
    int (*ask)(void *ud, int what, const char *subject);
    void *ud;
};

/* Asks about a host, which is a name or an address as in a URL, and a port. */
bool spt_permit_host(const struct spt_permit *permit, const char *host, size_t len, int port);

/* Asks about the proxy of a URL, which is in the form "scheme://user@host:port", where the user and
 * the port may be missing. Returns the text after the user in `*authority`. */
bool spt_permit_proxy(const struct spt_permit *permit, const char *url, const char **authority);

/* Asks about a unix socket, as "unix:" and its path. */
bool spt_permit_unix(const struct spt_permit *permit, const char *path);

/* Asks about an address. Permits those of other families than IP: a path was asked about before. */
bool spt_permit_address(const struct spt_permit *permit, const struct sockaddr *address);

/* Like spt_permit_address(), but takes the address as text. */
bool spt_permit_text(const struct spt_permit *permit, const char *address, int port);

/* Asks about each of a list of addresses of DNS servers, "127.0.0.1:53,[::1]", where a port may be
 * missing. Returns NULL, or the first that is denied. */
const char *spt_permit_servers(const struct spt_permit *permit, const char *servers);

#endif
