/* Bodies on their way through libcurl, with back-pressure in both directions: a streamed response
 * is paused while its reader has enough, an upload while there is nothing of it to send. */
#ifndef SPT_HTTP_BODY_H
#define SPT_HTTP_BODY_H

#include "http/state.h"

/* libcurl's write, read and seek functions; `ud` is the easy. */
size_t spt_body_write(char *bytes, size_t size, size_t n, void *ud);
size_t spt_body_read(char *to, size_t size, size_t n, void *ud);
int spt_body_seek(void *ud, curl_off_t offset, int origin);

/* The request moves again where it was paused, if it may by now. Returns what libcurl says of it:
 * all but CURLE_OK is the end of the transfer. Not from a callback of libcurl's. */
CURLcode spt_body_go_on(struct spt_request *r);

/* Ends the pauses of a request that is over. */
void spt_body_stop(struct spt_request *r);

/* All of the request's body is out, as far as `sent` bytes tell. */
bool spt_body_upload_complete(const struct spt_request *r, curl_off_t sent);

#endif
