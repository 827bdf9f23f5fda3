/* SPDX-License-Identifier: MIT */
/* Maps libcurl's results to the words that scripts match on. It knows libcurl's codes, not
 * requests. */
#ifndef SPT_HTTP_CURL_ERROR_H
#define SPT_HTTP_CURL_ERROR_H

#include <curl/curl.h>

struct spt_error_words {
    const char *code;   /* static, such as "connect" */
    const char *reason; /* static, such as "refused"; may be NULL */
};

/* Returns the words for a result; CURLE_OK has no code. `os_errno` is CURLINFO_OS_ERRNO, `verified`
 * is CURLINFO_SSL_VERIFYRESULT. `text` is libcurl's error buffer, which may be "".
 * CURLE_OPERATION_TIMEDOUT has no reason, as the caller knows which timeout expired. */
struct spt_error_words spt_curl_error(CURLcode code, long os_errno, long verified,
                                      const char *text);

#endif
