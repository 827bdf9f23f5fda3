/* How a request is done: by which proxy or socket, with what TLS, who answers a challenge, whether
 * cookies go along. libcurl keeps connections apart by it, so that requests of one session may
 * differ. */
#ifndef SPT_HTTP_CONNECTION_OPTIONS_H
#define SPT_HTTP_CONNECTION_OPTIONS_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_connection_options {
    char *proxy;       /* a URL; NULL: none */
    bool env_proxy;    /* without one: as http_proxy and its like in the environment say */
    char *unix_socket; /* a path, in place of the URL's host and of any proxy; NULL: none */
    char *ca_file;     /* PEM, in place of the system's; NULL: the system's */
    char *cert_file;   /* PEM, the client's; NULL: none */
    char *key_file;    /* ... and its key; NULL: in cert_file */
    char *user;        /* answers a challenge for a digest; NULL: nobody does */
    char *password;    /* ... */
    bool insecure;     /* certificates are not checked */
    bool tls13;        /* nothing older */
    bool http2;        /* over TLS, where the server offers it; easy.c's to ask for */
    bool no_cookies;   /* the session's are neither sent nor kept */
};

/* Makes `p` a copy, which owns its strings. Returns SEPTET_OK or SEPTET_ENOMEM; release it in
 * either case. */
int spt_connection_options_copy(struct spt_connection_options *p,
                                const struct spt_connection_options *from);

/* No request may have it. */
void spt_connection_options_release(struct spt_connection_options *p);

/* Does a request with this profile, which may be NULL, go through a proxy? The environment's may or
 * may not be one: it counts. */
bool spt_connection_options_has_proxy(const struct spt_connection_options *p);

/* NULL asks for nothing. curl_easy_reset takes all of it off again. */
CURLcode spt_connection_options_apply(const struct spt_connection_options *p, CURL *curl);

#endif
