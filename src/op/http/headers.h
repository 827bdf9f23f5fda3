/* SPDX-License-Identifier: MIT */
/* Checked headers of requests. */
#ifndef SPT_OP_HTTP_HEADERS_H
#define SPT_OP_HTTP_HEADERS_H

struct spt_headers;

#define SPT_HEADERS_META "septet.http.headers"

struct spt_headers_handle {
    struct spt_headers *headers; /* owned */
};

#endif
