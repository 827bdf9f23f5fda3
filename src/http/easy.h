/* SPDX-License-Identifier: MIT */
/* libcurl's easy handles: pooled, and set up for one attempt at a time. */
#ifndef SPT_HTTP_EASY_H
#define SPT_HTTP_EASY_H

#include <stdbool.h>

enum {
    SPT_IDLE_MAX_S = 60 /* seconds; servers commonly close idle connections after 60 to 75 */
};

struct spt_driver;
struct spt_easy;
struct spt_request;

/* Takes a handle from the pool, or makes one, and sets it up for `r`, which must have a session.
 * Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_easy_acquire(struct spt_request *r);

/* Returns the handle of `r`, which must be out of its multi, to the pool. Frees it instead if
 * `discard_handle` says that its state is in doubt, or if the pool is full. */
void spt_easy_release(struct spt_request *r, bool discard_handle);

/* Prepares the handle to run the same request once more, on a fresh connection. */
void spt_easy_restart(struct spt_easy *easy);

/* Sets the handle up for a further exchange of its attempt. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_easy_next_exchange(struct spt_easy *easy);

/* Frees the pooled handles. */
void spt_easy_pool_release(struct spt_driver *driver);

#endif
