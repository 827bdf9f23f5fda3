/* SPDX-License-Identifier: MIT */
/* Bodies of requests and responses, with back-pressure in both directions. A streamed response is
 * paused while its buffer is full, an upload while it has no bytes to send. */
#ifndef SPT_HTTP_BODY_H
#define SPT_HTTP_BODY_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct spt_easy;
struct spt_request;

/* libcurl's write, read and seek callbacks; `ud` is the spt_easy. */
size_t spt_body_on_write(char *bytes, size_t size, size_t n, void *ud);
size_t spt_body_on_read(char *to, size_t size, size_t n, void *ud);
int spt_body_on_seek(void *ud, curl_off_t offset, int origin);

/* Clears the pauses of the directions that may run again, and sets `*still` to those that remain,
 * as CURLPAUSE_*. Returns false if none was cleared. A body that was stopped for the rest of a turn
 * may run again in the `next_turn`. */
bool spt_body_unpause(struct spt_request *r, bool next_turn, int *still);

/* Clears the pauses of a completed request. */
void spt_body_stop(struct spt_request *r);

/* Frees the decoder, before another body is received or the handle is pooled. */
void spt_body_drop_decoder(struct spt_easy *easy);

#endif
