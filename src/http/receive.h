/* SPDX-License-Identifier: MIT */
/* How the head of a response is received: libcurl's callbacks for header lines and for its verbose
 * messages. */
#ifndef SPT_HTTP_RECEIVE_H
#define SPT_HTTP_RECEIVE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct spt_easy;

/* libcurl's callback; `ud` is the spt_easy. */
size_t spt_receive_on_header(char *line, size_t size, size_t n, void *ud);

/* libcurl's callback for its verbose messages; `ud` is the spt_easy. */
int spt_receive_on_debug(CURL *curl, curl_infotype type, char *text, size_t len, void *ud);

/* Switches libcurl's verbose mode. Its messages tell what libcurl reports in no other way. */
void spt_receive_set_verbose(struct spt_easy *easy, bool wanted);

#endif
