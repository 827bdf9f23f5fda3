/* SPDX-License-Identifier: MIT */
/* Attempts at a request, as their callers see them. */
#ifndef SPT_HTTP_REQUEST_H
#define SPT_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "core/timer.h"
#include "http/permit.h"
#include "http/phase.h"
#include "http/place.h"
#include "http/policy.h"
#include "http/response.h"
#include "http/upload.h"

struct spt_connection_options;
struct spt_easy;
struct spt_headers;
struct spt_limiter_queue;
struct spt_session;
struct spt_signal;
struct spt_url_checker;
struct spt_url_origin;

/* The timeouts of a request in nanoseconds; 0 for none. */
struct spt_request_timeouts {
    uint64_t queue_ns;      /* in the queue */
    uint64_t connect_ns;    /* for name, connection and TLS */
    uint64_t first_byte_ns; /* from the connection to the first byte of the response */
    uint64_t idle_ns;       /* between two bytes, sent, or received and decoded */
};

/* What the driver's pass calls. */
struct spt_request_events {
    void (*on_done)(struct spt_request *); /* called once, unless cancelled */
    /* called before on_done; may be NULL. The head of a streamed response is complete, more of its
     * body is available, or bytes of the upload were taken. */
    void (*on_progress)(struct spt_request *);
    /* called for each signal that the request is watched for, from anywhere; may only record it,
     * and may not end the request */
    void (*on_signal)(struct spt_request *, const struct spt_signal *);
};

/* Where the address of a connection comes from. */
enum spt_lookup_by {
    SPT_LOOKUP_BY_NOBODY,  /* it needs none: it was given, or the name means it */
    SPT_LOOKUP_BY_US,      /* our resolver */
    SPT_LOOKUP_BY_LIBCURL, /* libcurl asks the system, if it has no answer */
};

/* What was signalled of a watched request; private to signal.c. The caller has the room for it, so
 * that a request that is not watched needs none. */
struct spt_signalled {
    struct spt_request *request;
    struct spt_link newcomer;     /* in its session's, until it is admitted or found to wait */
    enum spt_lookup_by lookup_by; /* of its connections */
    bool queued;                  /* waits in the queue */
    bool creating;                /* a connection is made for it */
    bool opened;                  /* ... and a socket was opened */
    bool resolving;               /* a lookup has begun and not ended */
    bool resolved;                /* the name was looked up for this connection */
    bool headers_sent;            /* of this exchange */
};

/* The state of a started request; private to src/http. */
struct spt_request_state {
    struct spt_session *session; /* NULL before the start and after the end */
    struct spt_link link;        /* in a queue, in_flight or finished */
    struct spt_limiter_queue *limiter_queue;
    struct spt_easy *easy;    /* its handle; NULL until its lookup is over */
    char *own_url;            /* owned `url` if it had to be rewritten; else NULL */
    bool allowed_by_name;     /* the session's policy allows its name */
    bool admitted;            /* it has left the queue */
    struct spt_place_use use; /* of the place of its connection, while it is admitted */
    enum spt_phase phase;
    uint64_t t_start_ns;
    /* value of polls_handled from which its expired timeout counts; 0 if none has expired */
    uint64_t poll_barrier;
    struct spt_timer timer;
    void (*on_timeout)(struct spt_request *, const char *reason); /* set by attempt.c */
    unsigned watched; /* bits of enum spt_signal_type, for on_signal; set by the caller */
    struct spt_signalled *signalled; /* borrowed; set by the caller if it is watched */
};

/* In what a request differs from others. */
struct spt_request_manner {
    /* redirects have no body for the caller; only their completion is reported */
    bool follows_redirects;
    bool raw;   /* the body is not decoded, whatever its content codings */
    bool once;  /* it is not sent again once the server may have seen any of it */
    bool fresh; /* its connections are its own: new ones, which no other request uses */
};

/* One attempt. The caller owns the struct, which it zeroes before it fills it in. What the struct
 * borrows must stay valid until on_done, spt_attempt_cancel(), or a refusal by
 * spt_attempt_start(). */
struct spt_request {
    /* set by the caller */
    const char *method;                              /* borrowed: a token, such as "GET" */
    const char *url;                                 /* borrowed; absolute, http or https */
    const struct spt_headers *headers;               /* borrowed; may be NULL */
    const struct spt_connection_options *connection; /* borrowed; may be NULL */
    const char *body;                                /* borrowed; NULL if none */
    size_t body_len;                                 /* bytes */
    struct spt_upload *upload; /* borrowed: a body sent while it is made, in place of `body` */
    const struct spt_request_timeouts *timeouts; /* borrowed */
    const struct spt_request_events *events;     /* borrowed */
    uint64_t deadline_ns; /* instant on the host's clock, for the queue too; 0 for none */
    /* maximum bytes of the response's body after decoding; somewhat more are allowed before it */
    size_t max_body;
    /* bytes of a streamed body held before the peer is paused (the high-water mark); if 0, the
     * body is gathered and available at the end */
    size_t high_water;
    struct spt_request_manner manner;

    /* results, valid from on_done until reset or release; those of a streamed response from
     * on_progress on */
    struct spt_failure failure;
    struct spt_response *response; /* NULL if it was never admitted */

    struct spt_request_state state;
};

/* Returns the number of bytes of a streamed body that can be taken, from response->body.buf.data +
 * consumed on. */
static inline size_t spt_request_available(const struct spt_request *request)
{
    const struct spt_response *response = request->response;
    return response ? spt_sink_available(&response->body) : 0;
}

/* Frees what the request owns, at any time after its end, also after the driver was freed. */
void spt_request_release(struct spt_request *request);

/* --- private to src/http --- */

/* Checks the method, the URL and the policy, which may be NULL, of a request that is to be started,
 * and asks the embedder. Replaces the URL by its normal form, so that all that follows sees the URL
 * that was checked. Returns SEPTET_OK with the origin, which is valid until the next check, or
 * SEPTET_EINVAL or SEPTET_ENOMEM with a failure. */
int spt_request_check(struct spt_request *request, struct spt_url_checker *urls,
                      const struct spt_policy *policy, const struct spt_permit *permit,
                      const struct spt_url_origin **origin);

/* Records a failure in a phase, with a copy of `text`, which may be NULL. */
void spt_request_fail(struct spt_request *request, enum spt_phase phase, const char *code,
                      const char *reason, const char *text);

/* Records that the policy denies a host or an address, which `what` says. */
void spt_request_deny(struct spt_request *request, enum spt_phase phase, struct spt_denial denial,
                      const char *what, const char *name, size_t len);

/* Returns the "host:port" that a request goes to, borrowed from its origin. For a request to a unix
 * socket, returns the socket's path. */
const char *spt_request_authority(const struct spt_request *request);

/* Returns true if the whole body of the request was sent. `sent` is the number of bytes that
 * libcurl has sent; it matters only for a body in memory. */
bool spt_request_is_sent(const struct spt_request *request, int64_t sent);

#endif
