/* Attempts at a request, as their callers see them. */
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

/* One attempt. The caller owns the struct, which it zeroes before it fills it in. What the struct
 * borrows must stay valid until on_done, spt_request_cancel(), or a refusal by
 * spt_request_start(). */
struct spt_request {
    /* set by the caller */
    const char *method;                           /* borrowed: a token, such as "GET" */
    const char *url;                              /* borrowed; absolute, http or https */
    const struct spt_headers *headers;            /* borrowed; may be NULL */
    const struct spt_connection_options *profile; /* borrowed; may be NULL */
    const char *body;                             /* borrowed; NULL if none */
    size_t body_len;                              /* bytes */
    /* maximum bytes of the response's body after decoding; somewhat more are allowed before it */
    size_t max_body;
    uint64_t connect_ns;    /* timeout for name, connection and TLS; 0 for none, as below */
    uint64_t first_byte_ns; /* timeout from the connection to the first byte of the response */
    uint64_t idle_ns;       /* timeout between two bytes, sent, or received and decoded */
    uint64_t queue_ns;      /* timeout in the queue */
    uint64_t deadline_ns;   /* instant on the host's clock, for the queue too; 0 for none */
    void (*on_done)(struct spt_request *); /* called once, in the drain, unless cancelled */
    struct spt_upload *upload; /* borrowed: a body sent while it is made, in place of `body` */
    /* bytes of a streamed body held before the peer is paused (the high-water mark); if 0, the
     * body is gathered and available at the end */
    size_t high_water;
    /* redirects have no body for the caller; only their completion is reported */
    bool follows_redirects;
    /* called in the drain, before on_done; may be NULL. The head of a streamed response is
     * complete, more of its body is available, or bytes of the upload were taken. */
    void (*on_progress)(struct spt_request *);

    /* results, valid from on_done until reset or release; those of a streamed response from
     * on_progress on */
    struct spt_failure failure;
    struct spt_response *response; /* NULL if it was never admitted */

    /* private to src/http */
    struct spt_session *session;
    struct spt_link link; /* in a queue, in_flight or finished */
    struct spt_origin *origin;
    struct spt_easy *easy;
    char *own_url;        /* owned `url` if it had to be rewritten; else NULL */
    bool allowed_by_name; /* the session's policy allows its name */
    enum spt_phase phase;
    uint64_t t_start_ns;
    /* value of polls_handled from which its expired timeout counts; 0 if none has expired */
    uint64_t poll_barrier;
    struct spt_timer timer;
};

/* Queues the request after checking its method, URL and headers. Returns SEPTET_OK, SEPTET_ECLOSED,
 * SEPTET_ENOMEM, or SEPTET_EINVAL. SEPTET_EINVAL fills in `failure`, with the code "protocol" or
 * "url", say. After an error nothing is armed and on_done is not called. The caller releases the
 * failure as after any other end. */
int spt_request_start(struct spt_session *session, struct spt_request *request);

/* Resumes a paused streamed request in the next drain, after its caller has taken bytes or has more
 * to send. A no-op if it is not paused. */
void spt_request_resume(struct spt_request *request);

/* Discards the rest of a streamed body. To keep the connection, the request continues for a short
 * time, and then completes as if the body had ended. A no-op once it has completed. */
void spt_request_pass_over(struct spt_request *request);

/* Returns the number of bytes of a streamed body that can be taken, from response->body_in.data +
 * consumed on. */
static inline size_t spt_request_available(const struct spt_request *request)
{
    const struct spt_response *t = request->response;
    return t ? t->body_in.len - t->consumed : 0;
}

/* Cancels a started request at once, in any phase. on_done is not called, and the peer sees the
 * connection close. `failure.phase` is set to its phase. A no-op once it has completed. */
void spt_request_cancel(struct spt_request *request);

/* Ends a started request with a failure, which on_done reports. `code` is static. A no-op once it
 * has completed. */
void spt_request_abort(struct spt_request *request, const char *code, const char *text);

/* Makes a completed or unused request ready to be filled in and started again. Returns its response
 * to the driver's pool. */
void spt_request_reset(struct spt_request *request, struct spt_driver *driver);

/* Frees what the request owns, at any time after its end, also after the driver was freed. */
void spt_request_release(struct spt_request *request);

/* Returns the phase of a running request. */
enum spt_phase spt_request_phase(const struct spt_request *request);

#endif
