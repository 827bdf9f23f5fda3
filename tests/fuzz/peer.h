/* SPDX-License-Identifier: MIT */
/* A peer on the host's own loop that says what the input has: to each thing that the client says it
 * answers with the next part of the input, and after the last one it closes the connection. Parts
 * end at the bytes ff fe. */
#ifndef TESTS_FUZZ_PEER_H
#define TESTS_FUZZ_PEER_H

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <string.h>
#include <uv.h>

#include "fuzz.h"

struct peer {
    uv_tcp_t listener;
    int port;
    SSL_CTX *tls; /* NULL: plain */
    struct input reply;
    size_t split; /* bytes of each part that are written first */
};

struct peer_client {
    uv_tcp_t tcp;
    struct peer *peer;
    uint8_t *reply; /* a copy: a client may outlive the input */
    struct input left;
    SSL *ssl; /* NULL: plain */
    char buf[16384];
};

static inline void peer_client_free(uv_handle_t *handle)
{
    struct peer_client *client = handle->data;
    SSL_free(client->ssl);
    free(client->reply);
    free(client);
}

static inline void peer_client_close(struct peer_client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->tcp))
        uv_close((uv_handle_t *)&client->tcp, peer_client_free);
}

/* What cannot be written at once is lost: the kernel's buffer is larger than any input. */
static inline void peer_write(struct peer_client *client, const void *bytes, size_t n)
{
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)n);
    void (*before)(int) =
        signal(SIGPIPE, SIG_IGN); /* libuv's own; one of the library's is a finding */
    if (n > 0)
        uv_try_write((uv_stream_t *)&client->tcp, &buf, 1);
    signal(SIGPIPE, before);
}

/* Moves what TLS has to say to the socket. */
static inline void peer_flush(struct peer_client *client)
{
    char bytes[16384];
    int n;
    while ((n = BIO_read(SSL_get_wbio(client->ssl), bytes, sizeof bytes)) > 0)
        peer_write(client, bytes, (size_t)n);
}

static inline void peer_say(struct peer_client *client, const uint8_t *bytes, size_t n)
{
    if (!client->ssl) {
        peer_write(client, bytes, n);
    } else if (n > 0) {
        SSL_write(client->ssl, bytes, (int)n);
        peer_flush(client);
    }
}

/* Says the next part. */
static inline void peer_answer(struct peer_client *client)
{
    struct input *left = &client->left;
    size_t n = 0, skip = 0, split;
    while (n < left->len) {
        if (n + 1 < left->len && left->data[n] == 0xff && left->data[n + 1] == 0xfe) {
            skip = 2;
            break;
        }
        n++;
    }
    split = client->peer->split < n ? client->peer->split : n;
    peer_say(client, left->data, split);
    peer_say(client, left->data + split, n - split);
    left->data += n + skip;
    left->len -= n + skip;
    if (left->len == 0)
        peer_client_close(client);
}

static inline void peer_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct peer_client *client = handle->data;
    *buf = uv_buf_init(client->buf, sizeof client->buf);
}

static inline void peer_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct peer_client *client = stream->data;
    if (n < 0) {
        peer_client_close(client);
        return;
    }
    if (n > 0 && client->ssl) {
        char bytes[4096];
        BIO_write(SSL_get_rbio(client->ssl), buf->base, (int)n);
        int got = SSL_read(client->ssl, bytes, sizeof bytes);
        peer_flush(client);
        if (got <= 0)
            return;
    }
    if (n > 0)
        peer_answer(client);
}

static inline void peer_accept(uv_stream_t *listener, int status)
{
    struct peer *peer = listener->data;
    struct peer_client *client = calloc(1, sizeof *client);
    CHECK(client && status == 0);
    client->peer = peer;
    client->reply = malloc(peer->reply.len + 1);
    CHECK(client->reply);
    memcpy(client->reply, peer->reply.data, peer->reply.len);
    client->left = (struct input){client->reply, peer->reply.len};
    uv_tcp_init(listener->loop, &client->tcp);
    client->tcp.data = client;
    CHECK(uv_accept(listener, (uv_stream_t *)&client->tcp) == 0);
    uv_tcp_nodelay(&client->tcp, 1);
    if (peer->tls) {
        client->ssl = SSL_new(peer->tls);
        SSL_set_bio(client->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_accept_state(client->ssl);
    }
    uv_read_start((uv_stream_t *)&client->tcp, peer_alloc, peer_read);
}

static inline int peer_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
                            const unsigned char *in, unsigned in_n, void *arg)
{
    return SSL_select_next_proto((unsigned char **)out, n, (const unsigned char *)"\2h2", 3, in,
                                 in_n) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

/* Makes a context that speaks HTTP/2 with a certificate of its own. */
static inline SSL_CTX *peer_tls(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    CHECK(tls && key && cert);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
    CHECK(SSL_CTX_use_certificate(tls, cert) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1);
    SSL_CTX_set_alpn_select_cb(tls, peer_alpn, NULL);
    X509_free(cert);
    EVP_PKEY_free(key);
    return tls;
}

/* Listens on a free port of loopback. `tls` may be NULL. */
static inline void peer_listen(struct peer *peer, uv_loop_t *loop, SSL_CTX *tls)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int n = sizeof address;
    peer->tls = tls;
    peer->listener.data = peer;
    uv_tcp_init(loop, &peer->listener);
    CHECK(uv_tcp_bind(&peer->listener, (const struct sockaddr *)&address, 0) == 0);
    CHECK(uv_listen((uv_stream_t *)&peer->listener, 16, peer_accept) == 0);
    CHECK(uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&address, &n) == 0);
    peer->port = ntohs(address.sin_port);
}

#endif
