/* libcurl's easy handles: pooled, set up for one attempt at a time, with the callbacks through
 * which libcurl opens sockets and passes on received data. */
#ifndef SPT_HTTP_EASY_H
#define SPT_HTTP_EASY_H

#include "http/state.h"

/* Takes a handle from the pool, or makes one, and sets it up for `r`, which must have a session.
 * Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_easy_acquire(struct spt_request *r);

/* Returns the handle of `r`, which must be out of its multi, to the pool. Frees it instead if
 * `discard_handle` says that its state is in doubt, or if the pool is full. */
void spt_easy_release(struct spt_request *r, bool discard_handle);

/* Prepares the handle to run the same request once more, on a fresh connection. */
void spt_easy_retry(struct spt_easy *easy);

/* Sets the handle up for a further exchange of its attempt. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_easy_repeat(struct spt_easy *easy);

/* Returns true if the current exchange must not be sent again. That holds if it was answered, or if
 * its method is not idempotent (RFC 9110, 9.2.2) and the server may have seen any of it. */
bool spt_easy_is_spent(const struct spt_easy *easy);

/* Stops watching the sockets of its connection attempts, which libcurl is about to close. */
void spt_easy_drop_attempts(struct spt_easy *easy);

/* Frees the pooled handles. */
void spt_easy_pool_release(struct spt_driver *driver);

#endif
