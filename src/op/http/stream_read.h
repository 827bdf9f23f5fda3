/* SPDX-License-Identifier: MIT */
/* A stream, which reads the body of a response piece by piece, and its reads. Private to stream.c
 * and stream_read.c. */
#ifndef SPT_OP_HTTP_STREAM_READ_H
#define SPT_OP_HTTP_STREAM_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "core/scope.h"
#include "op/held.h"
#include "op/http/call.h"
#include "septet/op.h"

#define SPT_HTTP_STREAM_META SPT_HELD_META

struct spt_env;
struct spt_session_handle;

enum spt_http_stream_reading {
    SPT_HTTP_STREAM_BYTES, /* at most `n` bytes, as soon as there are any */
    SPT_HTTP_STREAM_HELD,  /* how many there are, as soon as there are any */
    SPT_HTTP_STREAM_LINE,  /* a line of at most `n` bytes */
    SPT_HTTP_STREAM_REST,  /* all bytes, at the end of the body */
};

struct spt_http_stream {
    struct spt_held held;         /* the first member: held.h */
    struct spt_resource resource; /* in the scope that opened it, until its request has ended */
    /* in the env's while it has a call: the host closes the rest */
    struct spt_resource host_resource;
    struct spt_scope *scope; /* borrowed while the resource is in it */
    struct spt_env *env;
    /* owned; NULL once closed. The user values keep alive what it borrows. */
    struct spt_http_call *call;
    struct spt_http_stream_op *waiter;
    /* kept alive by the user values, as are the next two */
    const struct spt_session_handle *handle;
    const char *method, *url;
    int status;     /* of the response, once the head was returned */
    size_t room;    /* buffered bytes that pause the sender, unless a read needs more */
    size_t scanned; /* number of buffered bytes that contain no LF */
    bool ended;     /* the request has ended; buffered bytes may still be read */
    bool opened;    /* its head was returned */
    bool read;      /* a task reads: from the start of its wait until it has its bytes */
};

enum { SPT_HTTP_STREAM_HEAD = SPT_HTTP_ARGS_KEPT + 1 }; /* user value: the head that was returned */

struct spt_http_stream_op {
    septet_op op;
    struct spt_http_stream *stream; /* kept alive by the handle on the stack */
    enum spt_http_stream_reading reading;
    size_t n; /* maximum bytes */
};

/* Returns true if a read can be served. An unfinished line is too long only if one more byte, which
 * may be a CR, does not fit. */
bool spt_http_stream_read_is_enough(struct spt_http_stream *stream,
                                    const struct spt_http_stream_op *read);

/* Raises the high-water mark while a read needs more than it allows. The mark grows with the bytes
 * received, not with the number requested. */
void spt_http_stream_read_make_room(struct spt_http_stream *stream);

/* Has a stream give what it holds to a file. */
void spt_http_stream_read_init_held(struct spt_held *held);

#endif
