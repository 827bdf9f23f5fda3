/* SPDX-License-Identifier: MIT */
/* Connection options: proxy, unix socket, TLS, credentials for digest challenges, HTTP version and
 * cookies. Requests of one session may differ in them: libcurl keeps connections apart that differ
 * in an option of theirs, which the credentials and cookies are not. */
#ifndef SPT_HTTP_CONNECTION_OPTIONS_H
#define SPT_HTTP_CONNECTION_OPTIONS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct spt_connection_options {
    char *proxy;       /* URL; NULL if none */
    bool env_proxy;    /* without `proxy`, use http_proxy and its like in the environment */
    char *unix_socket; /* path, in place of the URL's host and of any proxy; NULL if none */
    char *ca_file;     /* PEM file, in place of the system's; NULL for the system's */
    char *cert_file;   /* PEM file with the client's certificate; NULL if none */
    char *key_file;    /* PEM file with its key; NULL if the key is in cert_file */
    char *user;        /* for digest challenges; NULL if they are not answered */
    char *password;    /* of `user`; NULL for an empty one */
    bool insecure;     /* certificates are not verified */
    bool tls13;        /* TLS 1.3 is the oldest version allowed */
    bool http2;        /* used over TLS if the server offers it; applied by easy.c */
    bool no_cookies;   /* the session's cookies are neither sent nor stored */
    uint64_t id;       /* set by the copy: its number; 0 if a handle does not keep it */
};

/* Copies `from` to `p`, which owns its strings. Returns SEPTET_OK or SEPTET_ENOMEM. The caller
 * releases `p` in either case. */
int spt_connection_options_copy(struct spt_connection_options *p,
                                const struct spt_connection_options *from);

/* Frees the strings. No request may still use `p`. */
void spt_connection_options_release(struct spt_connection_options *p);

/* Returns true if the options set nothing on a handle. Cookies are no matter of handles. NULL is no
 * options. */
bool spt_connection_options_are_none(const struct spt_connection_options *options);

/* Returns true if a request with these options, which may be NULL, may go through a proxy. With
 * `env_proxy` it is true, as the environment may name one. */
bool spt_connection_options_has_proxy(const struct spt_connection_options *p);

/* Sets the options on a handle; NULL sets none. curl_easy_reset() clears all of them. */
CURLcode spt_connection_options_apply(const struct spt_connection_options *p, CURL *curl);

#endif
