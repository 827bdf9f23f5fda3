/* SPDX-License-Identifier: MIT */
/* What a script gets of a request: the table of a whole response. */
#ifndef SPT_OP_HTTP_RESULT_H
#define SPT_OP_HTTP_RESULT_H

#include <lua.h>

struct spt_http_call;
struct spt_http_refs;

/* The values of a result, in the order in which they are pushed. */
enum {
    SPT_RESULT_BODY,
    SPT_RESULT_HEAD,
    SPT_RESULT_STATUS,
    SPT_RESULT_ALWAYS,                  /* number of those that each result has */
    SPT_RESULT_URL = SPT_RESULT_ALWAYS, /* if it had to be rewritten, else nil */
    SPT_RESULT_REDIRECT,                /* the target of a redirect */
    SPT_RESULT_METHOD,
    SPT_RESULT_DEADLINE, /* of the request, in seconds; nil for none */
    SPT_RESULT_MOST,
};

/* Pushes the values of a request that succeeded. Returns their number: SPT_RESULT_ALWAYS, or one
 * more with a URL, or SPT_RESULT_MOST for a redirect. */
int spt_http_result_push(lua_State *L, const struct spt_http_call *call);

/* Makes a response of the `n` values on top of the stack, and pushes it. The value at `url` is the
 * URL, if it was not rewritten. */
void spt_http_result_make(lua_State *L, const struct spt_http_refs *refs, int n, int url);

#endif
