/* SPDX-License-Identifier: MIT */
/* The HttpError of a failed request. Knows no calls and no streams. */
#ifndef SPT_OP_HTTP_FAILURE_H
#define SPT_OP_HTTP_FAILURE_H

#include <lua.h>
#include <stddef.h>

struct spt_request;

#define SPT_HTTP_URL_MAX    1024 /* bytes of a URL in errors and traces */
#define SPT_HTTP_METHOD_MAX 256  /* bytes of a method in errors and traces */

/* Pushes the HttpError of a request that has failed. Of the request, only the method, the URL, the
 * failure and, if that is behind a head, the response are used. */
void spt_http_failure_push(lua_State *L, const struct spt_request *r);

/* Sets the status and the headers of a response in the error on top of the stack. The string at
 * `lines` has the lines of its head. */
void spt_http_failure_set_response(lua_State *L, int status, int lines);

/* Like spt_http_failure_push(), but raises the error. */
int spt_http_failure_raise(lua_State *L, const struct spt_request *r);

/* Raises HttpError with the code "memory", for a request that could not be allocated. */
int spt_http_failure_raise_memory(lua_State *L, const char *method, const char *url);

#endif
