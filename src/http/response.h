/* Transfers at rest, the last used first. */
#ifndef SPT_HTTP_RESPONSE_H
#define SPT_HTTP_RESPONSE_H

#include "http/curl_driver.h"

#define SPT_TRANSFERS_MAX 256 /* resting */

struct spt_transfers {
    struct spt_link rest;
    unsigned n;
};

void spt_transfers_init(struct spt_transfers *transfers);

/* Frees those that rest. */
void spt_transfers_release(struct spt_transfers *transfers);

/* A transfer for a request that was admitted; NULL out of memory. */
struct spt_transfer *spt_transfer_take(struct spt_transfers *transfers, struct spt_request *r);

/* Has it rest, with its buffers if they are small; frees it where there are enough. */
void spt_transfer_put(struct spt_transfers *transfers, struct spt_transfer *t);

/* Frees it. Harmless for NULL. */
void spt_transfer_free(struct spt_transfer *t);

#endif
