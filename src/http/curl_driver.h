/* HTTP on libcurl's multi-socket interface: the only caller of curl_multi_*. One driver a host, one
 * multi a session. It knows no Lua and no tasks: a request is a struct of the caller's, and says
 * that it is done by a callback, in spt_driver_drain and never inside a callback of libcurl or
 * libuv.
 *
 *     request ── start ──▶ queued (admission) ── lap ──▶ in the multi ── message ──▶ on_done
 *                             └────────────── cancel, at any point, at once ─────▶ nothing
 *
 * The three moving parts are each a file: sockets.h (descriptors and their pollers), admission.h
 * (who may start), curl_driver.c (easy handles, multis, messages, time limits). */
#ifndef SPT_HTTP_CURL_DRIVER_H
#define SPT_HTTP_CURL_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "core/timer.h"
#include "dns/resolver.h"
#include "http/upload.h"

struct spt_loop;
struct spt_driver;
struct spt_session;
struct spt_headers;
struct spt_connection_options;

/* Makes the driver. Borrows `loop` and `timers`, which must outlive it. */
int spt_driver_new(struct spt_driver **out, struct spt_loop *loop, struct spt_timers *timers);

/* Closes every session left (their requests are cancelled, silently) and gives everything back. The
 * pollers of its sockets close in later turns of the loop. */
void spt_driver_free(struct spt_driver *driver);

/* Borrows changes to the quirks of libcurl, as quirks.h takes them. To be called before the first session. */
void spt_driver_change_quirks(struct spt_driver *driver, const char *changes);

/* One lap: starts admitted requests, runs what libcurl has due, applies changed poll masks,
 * delivers every finished request through its on_done. Returns true if any was delivered or more is
 * due now. */
bool spt_driver_drain(struct spt_driver *driver);

/* 0: there is something to do at once; SPT_NEVER: there is not. Later instants, libcurl's and the
 * time limits of requests, are in the timers given at the start. */
uint64_t spt_driver_due(const struct spt_driver *driver);

/* For tests and the census: sockets with a poller, and requests queued or in flight. */
unsigned spt_driver_sockets(const struct spt_driver *driver);
unsigned spt_driver_requests(const struct spt_driver *driver);

/* --- sessions: a pool of connections with its own limits --- */

struct spt_session_config {
    unsigned limit;           /* requests in flight at once; at least 1 */
    unsigned limit_per_host;  /* ... per origin (scheme, host, port); at least 1 */
    bool cookies;             /* kept for the session, and sent back */
    const char *const *allow; /* rules of policy.h */
    size_t n_allow;
    const char *const *deny;
    size_t n_deny;
    const char *resolver;       /* as names.h has it */
    const char *bad_rule;       /* set by spt_session_new: the one that cannot be understood */
    const char *const *resolve; /* "host:port:address", which is not looked up then */
    size_t n_resolve;
};

/* Copies what it needs of the config. */
int spt_session_new(struct spt_session **out, struct spt_driver *driver,
                    struct spt_session_config *config);

/* Drops the connections. Requests still queued or in flight end with the failure "closed",
 * delivered in the next lap; new ones are refused with SEPTET_ECLOSED. Harmless when closed. */
void spt_session_close(struct spt_session *session);

/* What a session does now, and what it has done since it was made. A request is an attempt: redirects and retries are
 * requests of their own. */
struct spt_session_stats {
    unsigned active, queued; /* requests */
    unsigned connections;    /* open, or being opened */
    uint64_t requests;       /* that were started */
    uint64_t failed;         /* ... of which no response came */
    uint64_t cancelled;      /* ... that nobody waited for to their end */
    uint64_t made, reused;   /* connections, for requests */
    uint64_t dropped;        /* connections that ended while nobody used them */
    uint64_t received;       /* bytes of bodies, after decoding */
    uint64_t sent;           /* bytes of bodies */
};

/* Takes time by the number of descriptors that are open. */
void spt_session_stats(const struct spt_session *session, struct spt_session_stats *out);

/* Closes it and frees it; the driver frees those that are left. */
void spt_session_free(struct spt_session *session);

/* --- header lines, checked once, shared by many requests --- */

/* Makes a list from `n` pairs. Names must be tokens, values free of CR, LF and NUL; Content-Length,
 * Transfer-Encoding and a second Host are refused (the body decides). Returns SEPTET_OK,
 * SEPTET_ENOMEM, or SEPTET_EINVAL with the reason (a static text) in `*why` and the pair's index in
 * `*at`. An empty value is sent as an empty header. */
struct spt_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
int spt_headers_new(struct spt_headers **out, const struct spt_header *pairs, size_t n,
                    const char **why, size_t *at);
void spt_headers_free(struct spt_headers *headers);

/* Why this libcurl, with changes to its quirks, is not to speak HTTP/2: static; NULL: it may. */
const char *spt_http2_refusal(const char *quirk_changes);

/* --- requests --- */

/* Where a request is; also what a timeout names. */
#define SPT_PHASE_MAP(XX)                                                                          \
    XX(QUEUED, "queue")                                                                            \
    XX(RESOLVING, "dns")                                                                           \
    XX(CONNECTING, "connect")                                                                      \
    XX(TLS, "tls")                                                                                 \
    XX(SENDING, "send")                                                                            \
    XX(WAITING, "wait")                                                                            \
    XX(RECEIVING, "receive")                                                                       \
    XX(ENDED, "ended")

enum spt_phase {
#define XX(name, word) SPT_PHASE_##name,
    SPT_PHASE_MAP(XX)
#undef XX
};
const char *spt_phase_name(enum spt_phase phase);

/* Why a request failed. `code` and `reason` are static words: what scripts match on. */
struct spt_failure {
    const char *code;   /* "dns", "connect", "timeout", ...; NULL: it did not fail */
    const char *reason; /* the finer word: "refused", "first_byte", ...; may be NULL */
    enum spt_phase phase;
    char *
        text; /* owned: libcurl's own words, or ours; NULL: there are none, or no memory for them */
};

/* Durations in nanoseconds, -1 where the phase did not take place (a reused connection has no dns,
 * tcp and tls). They add up to total_ns. */
struct spt_times {
    int64_t queue_ns, dns_ns, tcp_ns, tls_ns, send_ns, wait_ns, recv_ns, total_ns;
};

/* What a request has from its admission on, and what comes of it. It is the driver's, which hands those that rest to the
 * next requests: thousands in the queue have none, and the few that there are stay in the caches. */
struct spt_response {
    /* results, valid from on_done or spt_request_cancel until the request is reset or released */
    int status;  /* of the response; 0 if none came */
    int version; /* 10, 11, 20; 0 if none came */
    struct spt_buf
        head; /* header lines of the final response, CRLF between them, with the status line */
    struct spt_buf body_in;
    size_t consumed;   /* streamed: bytes of body_in that are gone; the caller's to move on */
    bool headers_done; /* streamed: the head is whole, and status and version are those of it */
    bool unread;       /* no byte of the body matters: the response is followed, or tried again */
    bool reused;       /* rode on an open connection */
    uint16_t peer_port;
    char peer[48];     /* the IP address it was sent to, "" if to none */
    uint64_t received; /* bytes of the body, after decoding */
    uint64_t packed;   /* ... before it, where there is any */
    char *
        redirect_url; /* owned: where a redirect points, as its Location says; NULL if it is none */
    size_t drained;   /* bytes of a body that is not read */
    struct spt_times times;

    /* private to loop/ */
    struct spt_request *request;   /* NULL at rest */
    struct spt_link link;          /* in the driver's transfers, at rest */
    struct spt_link progress_link; /* in the driver's progress list */
    struct spt_link resume_link;   /* in the driver's wakes */
    struct spt_link fd_wait_link;  /* in the driver's fd_waiters */
    bool in_paused, out_paused;
    struct spt_lookup lookup;
    uint64_t t_admitted_ns, t_phase_ns, t_byte_ns; /* stamps */
};

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

    /* results, valid from on_done until it is reset or released; a stream's transfer from on_progress on */
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
    uint64_t
        poll_barrier; /* of the driver's looks: that after which a limit has passed; 0: none has */
    struct spt_timer timer;
};

/* Queues the request. Checks method, URL and headers first: SEPTET_EINVAL with `failure` filled in
 * (code "protocol" or "url", say) when they are bad, SEPTET_ECLOSED, or SEPTET_ENOMEM; nothing is
 * armed then and on_done is not called. What it says of the failure is to be released as after any other end. */
int spt_request_start(struct spt_session *session, struct spt_request *request);

/* A streamed request's caller has taken bytes, or has more to send: it moves on where it was paused. Harmless at any
 * time. */
void spt_request_resume(struct spt_request *request);

/* Nobody reads what is left of a streamed body. For the connection's sake the request goes on for a little, and ends
 * then as if the body had. Harmless once it is over. */
void spt_request_pass_over(struct spt_request *request);

/* Bytes of a streamed body that are there to be taken, from its transfer's body_in.data + taken on. */
static inline size_t spt_request_available(const struct spt_request *request)
{
    const struct spt_response *t = request->response;
    return t ? t->body_in.len - t->consumed : 0;
}

/* Ends a started request at once, whatever its phase; on_done is not called, the wire sees the
 * connection close. Harmless once done. `failure.phase` says where it was. */
void spt_request_cancel(struct spt_request *request);

/* Ends a started request with a failure, delivered as others are; harmless once it is over. `code` is static. */
void spt_request_abort(struct spt_request *request, const char *code, const char *text);

/* Makes a request that is over, or was never used, ready to be filled in and started again. The driver takes its
 * transfer back. */
void spt_request_reset(struct spt_request *request, struct spt_driver *driver);

/* Frees what it has, at any time after its end, also when the driver is gone. */
void spt_request_release(struct spt_request *request);

/* Where a running request is. */
enum spt_phase spt_request_phase(const struct spt_request *request);

#endif
