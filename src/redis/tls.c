/* SPDX-License-Identifier: MIT */
/* OpenSSL between two buffers of its own, with the certificates that it finds by itself: those of
 * the system, or of SSL_CERT_FILE and SSL_CERT_DIR. */
#include "redis/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spt_redis_tls {
    SSL_CTX *context;
    SSL *ssl;        /* owns the two below */
    BIO *from, *to;  /* bytes of the peer, and for it */
    char words[192]; /* why it failed */
};

/* Returns the host without the brackets of an IPv6 address. */
static void copy_host(const char *host, char name[256])
{
    size_t len = strlen(host);
    bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';
    snprintf(name, 256, "%.*s", (int)(brackets ? len - 2 : len), host + brackets);
}

/* Has the peer's certificate checked for a name or an address. */
static bool expect_host(SSL *ssl, const char *host)
{
    char name[256];
    unsigned char address[sizeof(struct in6_addr)];
    copy_host(host, name);
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool init(struct spt_redis_tls *tls, const char *host)
{
    tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls->context || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
        return false;
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_default_verify_paths(tls->context) != 1)
        return false;
    tls->ssl = SSL_new(tls->context);
    tls->from = BIO_new(BIO_s_mem());
    tls->to = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->from || !tls->to) {
        BIO_free(tls->from);
        BIO_free(tls->to);
        return false;
    }
    SSL_set_bio(tls->ssl, tls->from, tls->to);
    SSL_set_connect_state(tls->ssl);
    return expect_host(tls->ssl, host);
}

struct spt_redis_tls *spt_redis_tls_new(const char *host)
{
    struct spt_redis_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return NULL;
    bool ok = init(tls, host);
    ERR_clear_error();
    if (ok)
        return tls;
    spt_redis_tls_free(tls);
    return NULL;
}

void spt_redis_tls_free(struct spt_redis_tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    free(tls);
}

/* Notes why a call failed. Returns false. */
static bool fail(struct spt_redis_tls *tls)
{
    long verdict = SSL_get_verify_result(tls->ssl);
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (verdict != X509_V_OK)
        snprintf(tls->words, sizeof tls->words, "the server's certificate is refused: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(tls->words, sizeof tls->words, "TLS failed: %s", reason ? reason : "unknown");
    ERR_clear_error();
    return false;
}

/* Returns true if a call of OpenSSL only lacks bytes of the peer. */
static bool waits(const struct spt_redis_tls *tls, int rc)
{
    return SSL_get_error(tls->ssl, rc) == SSL_ERROR_WANT_READ;
}

bool spt_redis_tls_feed(struct spt_redis_tls *tls, const char *bytes, size_t n)
{
    ERR_clear_error();
    if (n > 0 && BIO_write(tls->from, bytes, (int)n) != (int)n)
        return fail(tls);
    if (SSL_is_init_finished(tls->ssl))
        return true;
    int rc = SSL_do_handshake(tls->ssl);
    return rc == 1 || waits(tls, rc) || fail(tls);
}

bool spt_redis_tls_is_open(const struct spt_redis_tls *tls)
{
    return SSL_is_init_finished(tls->ssl);
}

bool spt_redis_tls_write(struct spt_redis_tls *tls, const char *words, size_t n)
{
    ERR_clear_error();
    return SSL_write(tls->ssl, words, (int)n) == (int)n || fail(tls);
}

int spt_redis_tls_read(struct spt_redis_tls *tls, char *to, int size)
{
    ERR_clear_error();
    int n = SSL_read(tls->ssl, to, size);
    if (n > 0)
        return n;
    if (waits(tls, n) || SSL_get_error(tls->ssl, n) == SSL_ERROR_ZERO_RETURN)
        return 0;
    fail(tls);
    return -1;
}

size_t spt_redis_tls_take(struct spt_redis_tls *tls, char *to, size_t size)
{
    int n = BIO_read(tls->to, to, (int)size);
    return n > 0 ? (size_t)n : 0;
}

const char *spt_redis_tls_failure(const struct spt_redis_tls *tls)
{
    return tls->words;
}
