/* Bodies of requests and responses, with back-pressure in both directions. A streamed response is
 * paused while its buffer is full, an upload while it has no bytes to send. */
#ifndef SPT_HTTP_BODY_H
#define SPT_HTTP_BODY_H

#include "http/state.h"

/* libcurl's write, read and seek callbacks; `ud` is the spt_easy. */
size_t spt_body_write(char *bytes, size_t size, size_t n, void *ud);
size_t spt_body_read(char *to, size_t size, size_t n, void *ud);
int spt_body_seek(void *ud, curl_off_t offset, int origin);

/* Resumes the paused directions of a request that may run again. Must not be called from a callback
 * of libcurl, which may deliver data inside of this call. Returns libcurl's result. Any other than
 * CURLE_OK ends the transfer. */
CURLcode spt_body_go_on(struct spt_request *r);

/* Clears the pauses of a completed request. */
void spt_body_stop(struct spt_request *r);

/* Returns true if the whole body of the request was sent. `sent` is the number of bytes that
 * libcurl has sent; it matters only for a body in memory. */
bool spt_body_upload_complete(const struct spt_request *r, curl_off_t sent);

#endif
