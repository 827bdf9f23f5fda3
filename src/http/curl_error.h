/* What went wrong, in words a script can match on. It knows libcurl's codes and nothing of
 * requests. */
#ifndef SPT_HTTP_CURL_ERROR_H
#define SPT_HTTP_CURL_ERROR_H

#include <curl/curl.h>

struct spt_error_words {
    const char *code;   /* static: "connect" */
    const char *reason; /* static: "refused"; may be NULL */
};

/* `os_errno` is CURLINFO_OS_ERRNO, `verified` is CURLINFO_SSL_VERIFYRESULT, `text` is libcurl's
 * error buffer (may be ""). CURLE_OK gives no code. A CURLE_OPERATION_TIMEDOUT has no reason: the
 * caller knows which limit it was. */
struct spt_error_words spt_curl_error(CURLcode code, long os_errno, long verified,
                                      const char *text);

#endif
