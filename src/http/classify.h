/* SPDX-License-Identifier: MIT */
/* How the end of an attempt is classified: libcurl's result, or a timeout, becomes a failure with
 * words that scripts match on. */
#ifndef SPT_HTTP_CLASSIFY_H
#define SPT_HTTP_CLASSIFY_H

#include <curl/curl.h>

struct spt_request;

/* Records the failure, if it is one, of an attempt that libcurl ended with `code`. Its handle must
 * still be in the multi. */
void spt_classify_result(struct spt_request *r, CURLcode code);

/* Records the failure of an attempt after its timeout `reason` expired. */
void spt_classify_timeout(struct spt_request *r, const char *reason);

#endif
