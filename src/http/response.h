/* Transfers at rest, the last used first. */
#ifndef SPT_HTTP_RESPONSE_H
#define SPT_HTTP_RESPONSE_H

#include "http/curl_driver.h"

#define SPT_RESPONSES_MAX 256 /* resting */

struct spt_responses {
    struct spt_link rest;
    unsigned n;
};

void spt_responses_init(struct spt_responses *transfers);

/* Frees those that rest. */
void spt_responses_release(struct spt_responses *transfers);

/* A transfer for a request that was admitted; NULL out of memory. */
struct spt_response *spt_response_take(struct spt_responses *transfers, struct spt_request *r);

/* Has it rest, with its buffers if they are small; frees it where there are enough. */
void spt_response_put(struct spt_responses *transfers, struct spt_response *t);

/* Frees it. Harmless for NULL. */
void spt_response_free(struct spt_response *t);

#endif
