/* SPDX-License-Identifier: MIT */
/* Which exchanges may be sent again, by libcurl or by attempt.c. */
#ifndef SPT_HTTP_RESEND_H
#define SPT_HTTP_RESEND_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_easy;
struct spt_request;

/* Returns true if the request must not be sent again once the server may have seen any of it: its
 * method is not idempotent, or its caller says so. */
bool spt_resend_is_guarded(const struct spt_request *request);

/* Returns the number of bytes that libcurl has sent in all exchanges of the attempt, heads
 * included. */
long spt_resend_bytes_written(const struct spt_easy *easy);

/* Returns true if the current exchange must not be sent again. That holds if it was answered, or if
 * it is guarded and the server may have seen any of it. */
bool spt_resend_is_spent(const struct spt_easy *easy);

/* Returns true if libcurl is about to repeat an exchange that must not be repeated, and records
 * why. libcurl announces a repeat only by opening a socket, or by a ready connection, once more. */
bool spt_resend_is_refused(struct spt_easy *easy);

/* Returns true if libcurl's result `code` says that the server had closed a pooled connection. No
 * part of the request was answered, so it is safe to send it again, as libcurl itself does for the
 * first few of them. */
bool spt_resend_is_stale(const struct spt_easy *easy, CURLcode code);

#endif
