/* Buffers between two requests: handed to those that are at work, so that thousands in the queue need none and the few
 * that there are stay in the caches. */
#ifndef SPT_LOOP_SPARES_H
#define SPT_LOOP_SPARES_H

#include "base/buf.h"

enum { SPT_SPARES_MAX = 256 };

struct spt_spares {
    char *data[SPT_SPARES_MAX]; /* owned */
    size_t cap[SPT_SPARES_MAX]; /* bytes */
    unsigned n;
};

/* Gives memory to a buffer that has none, where there is some. */
void spt_spares_take(struct spt_spares *spares, struct spt_buf *buf);

/* Takes a buffer's memory back, which is freed where it is larger than most need or there is enough. */
void spt_spares_put(struct spt_spares *spares, struct spt_buf *buf);

void spt_spares_release(struct spt_spares *spares);

#endif
