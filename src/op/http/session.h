/* SPDX-License-Identifier: MIT */
/* A session that a script opened. */
#ifndef SPT_OP_HTTP_SESSION_H
#define SPT_OP_HTTP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/scope.h"

struct spt_headers_handle;
struct spt_http_options;
struct spt_session;

#define SPT_SESSION_META "septet.http.session"

enum { SPT_SESSION_UV_SESSION = 1 }; /* user value of a handle: the session that scripts have */

/* What the requests of a session send that have no options of their own. */
struct spt_session_plain {
    bool allowed;                           /* they need nothing of Lua before the response comes */
    const struct spt_http_options *options; /* kept alive by the handle */
    const struct spt_headers_handle *headers; /* kept alive by the handle */
    uint64_t total_ns;                        /* total timeout; SPT_NEVER for none */
};

struct spt_session_handle {
    struct spt_session *session; /* owned; NULL once closed */
    /* in the env's while open: the host closes the rest */
    struct spt_resource resource;
    struct spt_session_plain plain;
};

#endif
