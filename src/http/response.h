/* SPDX-License-Identifier: MIT */
/* Responses, and the pool of those that are not in use. */
#ifndef SPT_HTTP_RESPONSE_H
#define SPT_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "dns/resolver.h"
#include "http/sink.h"
#include "loop/turn_budget.h"

struct spt_request;

/* Durations in nanoseconds, -1 if the phase did not take place. A reused connection has no dns, tcp
 * and tls. They add up to total_ns. */
struct spt_times {
    int64_t queue_ns, dns_ns, tcp_ns, tls_ns, send_ns, wait_ns, recv_ns, total_ns;
};

/* Instants in nanoseconds; 0 if the phase did not begin. */
struct spt_stamps {
    uint64_t admitted_ns;
    uint64_t phase_ns; /* the current phase began */
    uint64_t byte_ns;  /* last byte of a body, sent, or received and decoded */
    uint64_t open_ns;  /* first socket opened; 0 if a connection was reused */
    uint64_t tls_ns;   /* TLS handshake began */
    uint64_t ready_ns; /* request could be sent */
    uint64_t first_ns; /* response began */
};

/* The IP address that a request was sent to; "" if none. */
struct spt_peer {
    char address[48];
    uint16_t port;
    uint32_t connection; /* number of the connection among the host's sockets; 0: not known */
};

/* Where a response is queued, by the queue. */
struct spt_response_links {
    struct spt_link pool; /* unused ones of the driver */
    struct spt_link progress, resume, fd_wait;
    struct spt_left_work next_turn; /* the body was stopped for the rest of the turn */
};

/* State and results of an admitted request. The driver owns the structs and reuses them. Thousands
 * of queued requests have none, and the few in use stay in the CPU's caches. */
struct spt_response {
    /* results, valid from on_done or spt_attempt_cancel() until the request is reset or released */
    int status;        /* of the response; 0 if none came */
    int version;       /* 10, 11 or 20; 0 if no response came */
    bool headers_done; /* streamed: the head is complete, status and version are set */
    bool reused;       /* sent on an open connection */
    /* status line and header lines of the final response, with CRLF between them */
    struct spt_buf head;
    struct spt_sink body;
    struct spt_buf trailers; /* header lines behind the body, with CRLF before each */
    struct spt_peer peer;
    uint64_t sent; /* bytes of the request's body that were sent */
    /* owned target of a redirect, as its Location says; NULL if it is none */
    char *redirect_url;
    struct spt_times times;

    /* private to src/http */
    struct spt_request *request; /* NULL while pooled */
    struct spt_response_links links;
    bool upload_paused; /* libcurl asks for nothing until there are bytes to send */
    struct spt_lookup lookup;
    struct spt_stamps stamps;
};

#define SPT_RESPONSES_MAX 256 /* number of unused ones that are kept */

/* Responses that no request has. */
struct spt_response_pool {
    struct spt_link unused; /* the last used first */
    unsigned n;
};

void spt_response_pool_init(struct spt_response_pool *pool);

/* Frees the pooled responses. */
void spt_response_pool_release(struct spt_response_pool *pool);

/* Returns a response for an admitted request, from the pool or new; NULL if memory is out. */
struct spt_response *spt_response_take(struct spt_response_pool *pool, struct spt_request *r);

/* Returns a response to the pool, keeping small buffers. Frees it if the pool is full. */
void spt_response_put(struct spt_response_pool *pool, struct spt_response *response);

/* If the head is that of a redirect, stores its target as its Location says it. Returns false if
 * memory is out. */
bool spt_response_read_redirect(struct spt_response *response, int status);

/* Frees the response; NULL is a no-op. */
void spt_response_free(struct spt_response *response);

#endif
