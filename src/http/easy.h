/* libcurl's handles: pooled, set up for one request at a time, with the callbacks through which
 * libcurl opens sockets and hands over what it receives. */
#ifndef SPT_HTTP_EASY_H
#define SPT_HTTP_EASY_H

#include "http/state.h"

/* Takes a handle from the pool, or makes one, and sets it up for `r`, whose session is given.
 * Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_easy_acquire(struct spt_request *r);

/* Gives the handle of `r` back; it must be out of its multi. Discards it if it ended in a way that
 * leaves its state in doubt. */
void spt_easy_release(struct spt_request *r, bool discard_handle);

/* Makes it ready to run the same request once more, on a connection of its own. */
void spt_easy_retry(struct spt_easy *easy);

/* Sets a handle up for a further exchange of its transfer. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_easy_repeat(struct spt_easy *easy);

/* Returns true if the exchange at work must not be sent again: it has been answered, or its method
 * is not one that may be sent twice (RFC 9110, 9.2.2) and the server may have seen a byte of it. */
bool spt_easy_is_spent(const struct spt_easy *easy);

/* Stops watching the sockets it still connects through: libcurl is about to close them. */
void spt_easy_drop_attempts(struct spt_easy *easy);

/* Frees the pool. */
void spt_easy_pool_release(struct spt_driver *driver);

#endif
