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

struct spt_error_words spt_curl_error(CURLcode code, long os_errno, long verified, const char *text)
{
    if ((int)code == TOO_LARGE)
        return words("headers_too_large", NULL);
    switch (code) {
    case CURLE_OK:
        return words(NULL, NULL);
    case CURLE_COULDNT_RESOLVE_HOST:
        return words("dns", "not_found");
    case CURLE_COULDNT_RESOLVE_PROXY:
        return words("dns", "proxy");
    case CURLE_COULDNT_CONNECT:
        return words("connect", connect_reason(os_errno));
    case CURLE_INTERFACE_FAILED:
        return words("connect", "interface");
    case CURLE_PROXY:
        return words("connect", proxy_reason(text));
    case CURLE_OPERATION_TIMEDOUT:
        return words("timeout", NULL);
    case CURLE_SSL_CONNECT_ERROR:
        return words("tls", "handshake");
    case CURLE_PEER_FAILED_VERIFICATION:
        return words("tls", verify_reason(verified, text));
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return words("tls", "verify");
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
        return words("tls", "ca");
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
        return words("tls", "client_certificate");
    case CURLE_SSL_CIPHER:
        return words("tls", "cipher");
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_USE_SSL_FAILED:
        return words("tls", NULL);
    case CURLE_GOT_NOTHING:
        return words("reset", "empty");
    case CURLE_SEND_ERROR:
        return words("reset", "send");
    case CURLE_RECV_ERROR:
        return receive_error(text);
    case CURLE_PARTIAL_FILE:
        return words("partial", "truncated");
    case CURLE_UNSUPPORTED_PROTOCOL: /* the scheme was checked: HTTP/0.9 or not HTTP at all */
        return words("protocol", "status_line");
    case CURLE_WEIRD_SERVER_REPLY:
        return words("protocol", "reply");
    case CURLE_BAD_FUNCTION_ARGUMENT: /* in some versions, a header that they cannot store */
        return words("protocol", strstr(text, "chunk") ? "chunk" : "header");
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_HTTP3:
    case CURLE_QUIC_CONNECT_ERROR:
        return words("protocol", "http2");
    case CURLE_SEND_FAIL_REWIND:
        return words("protocol", "rewind");
    case CURLE_BAD_CONTENT_ENCODING: /* libcurl decodes no body, but counts its codings */
        if (!strstr(text, "content encodings"))
            return words("protocol", "transfer_encoding");
        return words("decode", "content_encoding");
    case CURLE_WRITE_ERROR: /* a decoder's; other refusals are reported before this table */
        return words("decode", "content_encoding");
    case CURLE_FILESIZE_EXCEEDED:
        return words("body_too_large", NULL);
    case CURLE_TOO_MANY_REDIRECTS:
        return words("redirect", "limit");
    case CURLE_URL_MALFORMAT:
        return words("url", "malformed");
    case CURLE_LOGIN_DENIED:
    case CURLE_AUTH_ERROR:
    case CURLE_REMOTE_ACCESS_DENIED:
        return words("denied", NULL);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_SETOPT_OPTION_SYNTAX: /* addresses for names, which were checked */
    case CURLE_ABORTED_BY_CALLBACK:  /* by a pause that ends; our own is reported before */
        return words("memory", NULL);
    default:
        return strstr(text, "chunk") ? words("protocol", "chunk") : words("internal", NULL);
    }
}
