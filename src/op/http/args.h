/* SPDX-License-Identifier: MIT */
/* The arguments of the functions that start attempts. */
#ifndef SPT_OP_HTTP_ARGS_H
#define SPT_OP_HTTP_ARGS_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

struct spt_env;
struct spt_headers;
struct spt_http_options;
struct spt_session_handle;
struct spt_upload_handle;

/* Which attempt of which request a call is. */
struct spt_http_number {
    uint32_t request; /* the same for its redirects and retries */
    uint16_t resend;  /* number of attempts before this one */
};

/* The arguments of a script's call, kept alive by the values on its stack. */
struct spt_http_args {
    const struct spt_session_handle *handle;
    const struct spt_http_options *options;
    const char *method, *url;
    const struct spt_headers *headers;
    const char *body;
    size_t body_len; /* bytes */
    struct spt_upload_handle *upload;
    uint64_t deadline_ns;          /* 0 for none */
    struct spt_http_number number; /* all zero for a new request */
};

/* The indices of the arguments of http() and http_stream(). */
enum {
    SPT_HTTP_ARG_SESSION = 1,
    SPT_HTTP_ARG_OPTIONS,
    SPT_HTTP_ARG_HEADERS,
    SPT_HTTP_ARG_METHOD,
    SPT_HTTP_ARG_URL,
    SPT_HTTP_ARG_BODY,
    SPT_HTTP_ARG_TIMEOUT,
    SPT_HTTP_ARG_HOOKS,
    SPT_HTTP_ARGS_KEPT = SPT_HTTP_ARG_HOOKS, /* number of those that a stream keeps alive */
    SPT_HTTP_ARG_NO_FOLLOW,
    SPT_HTTP_ARG_NUMBER,
    SPT_HTTP_ARG_RESEND,
    SPT_HTTP_ARG_WHOLE, /* of http_stream() only */
};

/* Reads the arguments of http() from the stack. Those from the body on may be nil or absent,
 * because a waiting task with fewer values keeps a smaller stack. Raises Usage. */
void spt_http_args_check(lua_State *L, struct spt_env *env, struct spt_http_args *args);

#endif
