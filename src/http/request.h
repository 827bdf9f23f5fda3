/* Requests, as their callers see them. */
#ifndef SPT_HTTP_REQUEST_H
#define SPT_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "core/timer.h"
#include "http/phase.h"
#include "http/response.h"
#include "http/upload.h"

struct spt_connection_options;
struct spt_driver;
struct spt_headers;
struct spt_session;

/* One attempt. The caller owns the struct, zeroed before it is filled in; what it borrows must stay
 * until on_done, spt_request_cancel, or a refusal by spt_request_start. */
struct spt_request {
    /* set by the caller */
    const char *method;                           /* borrows: a token, "GET" */
    const char *url;                              /* borrows: absolute, http or https */
    const struct spt_headers *headers;            /* borrows; may be NULL */
    const struct spt_connection_options *profile; /* borrows; may be NULL */
    const char *body;                             /* borrows; NULL: none */
    size_t body_len;                              /* bytes */
    size_t max_body;        /* bytes of the response's body, after decoding; before
                                          it, somewhat more */
    uint64_t connect_ns;    /* limits, 0 for none: name, connection and TLS */
    uint64_t first_byte_ns; /* ... from connected to the first byte of the response */
    uint64_t idle_ns;       /* ... between two bytes, either way; in, after decoding */
    uint64_t queue_ns;      /* ... in the queue */
    uint64_t deadline_ns;   /* an instant on the host's clock; counts the queue too */
    void (*on_done)(struct spt_request *); /* once, in the drain, unless cancelled */
    struct spt_upload *upload; /* borrows: a body that is sent as it is made, in place of `body` */
    size_t high_water; /* bytes held for who streams the body, before the sender is paused; 0: the
                          body is gathered, and is there at the end */
    void (*on_first_byte)(
        struct spt_request *); /* where a response begins: its end may be near. Inside of a
                                               callback of libcurl's, to ask for memory and nothing
                                               else; NULL: nobody asks */
    bool follows_redirects;    /* a redirect has no body for anybody: only its end is told */
    void (*on_progress)(
        struct spt_request *); /* in the drain, before on_done: the head of a streamed
                                              response is whole, there are more bytes of it, or the
                                              upload was taken from; NULL: nobody asks */

    /* results, valid from on_done until it is reset or released; a stream's transfer from
     * on_progress on */
    struct spt_failure failure;
    struct spt_response *response; /* NULL: it was never admitted */

    /* private to loop/ */
    struct spt_session *session;
    struct spt_link link; /* in the origin's queue, the flight, or the finished */
    struct spt_origin *origin;
    struct spt_easy *easy;
    char *own_url;        /* owned: what `url` is where it had to be written anew; else NULL */
    bool allowed_by_name; /* the session's policy allows it by its name */
    enum spt_phase phase;
    uint64_t t_start_ns;
    /* of the driver's looks: that after which a limit has passed; 0: none has */
    uint64_t poll_barrier;
    struct spt_timer timer;
};

/* Queues the request. Checks method, URL and headers first: SEPTET_EINVAL with `failure` filled in
 * (code "protocol" or "url", say) when they are bad, SEPTET_ECLOSED, or SEPTET_ENOMEM; nothing is
 * armed then and on_done is not called. What it says of the failure is to be released as after any
 * other end. */
int spt_request_start(struct spt_session *session, struct spt_request *request);

/* A streamed request's caller has taken bytes, or has more to send: it moves on where it was
 * paused. Harmless at any time. */
void spt_request_resume(struct spt_request *request);

/* Nobody reads what is left of a streamed body. For the connection's sake the request goes on for a
 * little, and ends then as if the body had. Harmless once it is over. */
void spt_request_pass_over(struct spt_request *request);

/* Bytes of a streamed body that are there to be taken, from its transfer's body_in.data + taken
 * on. */
static inline size_t spt_request_available(const struct spt_request *request)
{
    const struct spt_response *t = request->response;
    return t ? t->body_in.len - t->consumed : 0;
}

/* Ends a started request at once, whatever its phase; on_done is not called, the wire sees the
 * connection close. Harmless once done. `failure.phase` says where it was. */
void spt_request_cancel(struct spt_request *request);

/* Ends a started request with a failure, delivered as others are; harmless once it is over. `code`
 * is static. */
void spt_request_abort(struct spt_request *request, const char *code, const char *text);

/* Makes a request that is over, or was never used, ready to be filled in and started again. The
 * driver takes its transfer back. */
void spt_request_reset(struct spt_request *request, struct spt_driver *driver);

/* Frees what it has, at any time after its end, also when the driver is gone. */
void spt_request_release(struct spt_request *request);

/* Where a running request is. */
enum spt_phase spt_request_phase(const struct spt_request *request);

#endif
