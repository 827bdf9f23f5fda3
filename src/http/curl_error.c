/* SPDX-License-Identifier: MIT */
/* Maps libcurl's codes, and where these are ambiguous its messages, to septet's words. */
#include "http/curl_error.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static struct spt_error_words words(const char *code, const char *reason)
{
    return (struct spt_error_words){code, reason};
}

static const char *connect_reason(long os_errno)
{
    switch (os_errno) {
    case ECONNREFUSED:
        return "refused";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return "unreachable";
    case ETIMEDOUT:
        return "timeout";
    case ECONNRESET:
        return "reset";
    case EMFILE:
    case ENFILE:
        return "too_many_files";
    case ENOENT: /* of a Unix socket */
        return "not_found";
    case EACCES:
    case EPERM:
        return "not_permitted";
    case EADDRNOTAVAIL:
    case EINVAL:
        return "bad_address";
    default:
        return NULL;
    }
}

/* OpenSSL's results of verifying a certificate; the numbers are the same in all its versions. */
enum {
    UNABLE_TO_GET_ISSUER_CERT = 2,
    CERT_NOT_YET_VALID = 9,
    CERT_HAS_EXPIRED = 10,
    DEPTH_ZERO_SELF_SIGNED_CERT = 18,
    SELF_SIGNED_CERT_IN_CHAIN = 19,
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY = 20,
    UNABLE_TO_VERIFY_LEAF_SIGNATURE = 21
};

static const char *verify_reason(long verified, const char *text)
{
    switch (verified) {
    case CERT_HAS_EXPIRED:
        return "expired";
    case CERT_NOT_YET_VALID:
        return "not_yet_valid";
    case DEPTH_ZERO_SELF_SIGNED_CERT:
        return "self_signed";
    case UNABLE_TO_GET_ISSUER_CERT:
    case SELF_SIGNED_CERT_IN_CHAIN:
    case UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "unknown_ca";
    default: /* libcurl itself compares the name */
        return strstr(text, "subject name") ? "host" : "verify";
    }
}

/* Returns "proxy_auth" for a 407 to CONNECT or its equivalent in SOCKS, and "proxy" otherwise. */
static const char *proxy_reason(const char *text)
{
    bool auth = strstr(text, "response 407") || strstr(text, "code 407") ||
                strstr(text, "rejected by the SOCKS5 server") || strstr(text, "authentication");
    return auth ? "proxy_auth" : "proxy";
}

/* Maps CURLE_RECV_ERROR, which stands both for a dropped connection and for wrong framing of a
 * body. Only the text distinguishes them. */
static struct spt_error_words receive_error(const char *text)
{
    if (strstr(text, "Out of memory in chunked")) /* a trailer too large for libcurl */
        return words("headers_too_large", NULL);
    if (strstr(text, "CONNECT")) /* a proxy that refused the tunnel */
        return words("connect", proxy_reason(text));
    if (strstr(text, "chunk"))
        return words("protocol", "chunk");
    if (strstr(text, "response headers"))
        return words("headers_too_large", NULL);
    return words("reset", "receive");
}

enum { TOO_LARGE = 100 }; /* CURLE_TOO_LARGE, since 8.6.0: a header line */

/* The codes that have one meaning. */
static const struct {
    int code; /* CURLcode */
    struct spt_error_words words;
} table[] = {
    {CURLE_OK, {NULL, NULL}},
    {CURLE_COULDNT_RESOLVE_HOST, {"dns", "not_found"}},
    {CURLE_COULDNT_RESOLVE_PROXY, {"dns", "proxy"}},
    {CURLE_INTERFACE_FAILED, {"connect", "interface"}},
    {CURLE_OPERATION_TIMEDOUT, {"timeout", NULL}},
    {CURLE_SSL_CONNECT_ERROR, {"tls", "handshake"}},
    {CURLE_SSL_ISSUER_ERROR, {"tls", "verify"}},
    {CURLE_SSL_INVALIDCERTSTATUS, {"tls", "verify"}},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, {"tls", "verify"}},
    {CURLE_SSL_CACERT_BADFILE, {"tls", "ca"}},
    {CURLE_SSL_CRL_BADFILE, {"tls", "ca"}},
    {CURLE_SSL_CERTPROBLEM, {"tls", "client_certificate"}},
    {CURLE_SSL_CLIENTCERT, {"tls", "client_certificate"}},
    {CURLE_SSL_CIPHER, {"tls", "cipher"}},
    {CURLE_SSL_ENGINE_NOTFOUND, {"tls", NULL}},
    {CURLE_SSL_ENGINE_SETFAILED, {"tls", NULL}},
    {CURLE_SSL_ENGINE_INITFAILED, {"tls", NULL}},
    {CURLE_SSL_SHUTDOWN_FAILED, {"tls", NULL}},
    {CURLE_USE_SSL_FAILED, {"tls", NULL}},
    {CURLE_GOT_NOTHING, {"reset", "empty"}},
    {CURLE_SEND_ERROR, {"reset", "send"}},
    {CURLE_PARTIAL_FILE, {"partial", "truncated"}},
    /* the scheme was checked: HTTP/0.9 or not HTTP at all */
    {CURLE_UNSUPPORTED_PROTOCOL, {"protocol", "status_line"}},
    {CURLE_WEIRD_SERVER_REPLY, {"protocol", "reply"}},
    {CURLE_HTTP2, {"protocol", "http2"}},
    {CURLE_HTTP2_STREAM, {"protocol", "http2"}},
    {CURLE_HTTP3, {"protocol", "http2"}},
    {CURLE_QUIC_CONNECT_ERROR, {"protocol", "http2"}},
    {CURLE_SEND_FAIL_REWIND, {"protocol", "rewind"}},
    /* a decoder's; other refusals are reported before this table */
    {CURLE_WRITE_ERROR, {"decode", "content_encoding"}},
    {CURLE_FILESIZE_EXCEEDED, {"body_too_large", NULL}},
    {TOO_LARGE, {"headers_too_large", NULL}},
    {CURLE_TOO_MANY_REDIRECTS, {"redirect", "limit"}},
    {CURLE_URL_MALFORMAT, {"url", "malformed"}},
    {CURLE_LOGIN_DENIED, {"denied", NULL}},
    {CURLE_AUTH_ERROR, {"denied", NULL}},
    {CURLE_REMOTE_ACCESS_DENIED, {"denied", NULL}},
    {CURLE_OUT_OF_MEMORY, {"memory", NULL}},
    /* addresses for names, which were checked */
    {CURLE_SETOPT_OPTION_SYNTAX, {"memory", NULL}},
    /* by a pause that ends; our own is reported before */
    {CURLE_ABORTED_BY_CALLBACK, {"memory", NULL}},
};

static struct spt_error_words look_up(CURLcode code, const char *text)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == (int)code)
            return table[i].words;
    return strstr(text, "chunk") ? words("protocol", "chunk") : words("internal", NULL);
}

struct spt_error_words spt_curl_error(CURLcode code, long os_errno, long verified, const char *text)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return words("connect", connect_reason(os_errno));
    case CURLE_PROXY:
        return words("connect", proxy_reason(text));
    case CURLE_PEER_FAILED_VERIFICATION:
        return words("tls", verify_reason(verified, text));
    case CURLE_RECV_ERROR:
        return receive_error(text);
    case CURLE_BAD_FUNCTION_ARGUMENT: /* in some versions, a header that they cannot store */
        return words("protocol", strstr(text, "chunk") ? "chunk" : "header");
    case CURLE_BAD_CONTENT_ENCODING: /* libcurl decodes no body, but counts its codings */
        if (!strstr(text, "content encodings"))
            return words("protocol", "transfer_encoding");
        return words("decode", "content_encoding");
    default:
        return look_up(code, text);
    }
}
