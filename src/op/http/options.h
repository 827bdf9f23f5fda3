/* SPDX-License-Identifier: MIT */
/* The checked options of requests. */
#ifndef SPT_OP_HTTP_OPTIONS_H
#define SPT_OP_HTTP_OPTIONS_H

#include <stddef.h>

#include "http/connection_options.h"
#include "http/request.h"

#define SPT_OPTIONS_META "septet.http.options"

/* The options of a request: those of its session, unless the request has its own. */
struct spt_http_options {
    struct spt_request_timeouts timeouts;
    size_t max_body;   /* maximum bytes of a whole body */
    size_t max_stream; /* maximum bytes of a streamed body */
    struct spt_request_manner manner;
    struct spt_connection_options connection;
};

#endif
