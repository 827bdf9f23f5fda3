/* Transfers at rest, the last used first. */
#ifndef SPT_HTTP_RESPONSE_H
#define SPT_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "dns/resolver.h"

struct spt_request;

/* Durations in nanoseconds, -1 where the phase did not take place (a reused connection has no dns,
 * tcp and tls). They add up to total_ns. */
struct spt_times {
    int64_t queue_ns, dns_ns, tcp_ns, tls_ns, send_ns, wait_ns, recv_ns, total_ns;
};

/* What a request has from its admission on, and what comes of it. It is the driver's, which hands
 * those that rest to the next requests: thousands in the queue have none, and the few that there
 * are stay in the caches. */
struct spt_response {
    /* results, valid from on_done or spt_request_cancel until the request is reset or released */
    int status;  /* of the response; 0 if none came */
    int version; /* 10, 11, 20; 0 if none came */
    /* header lines of the final response, CRLF between them, with the status line */
    struct spt_buf head;
    struct spt_buf body_in;
    size_t consumed;   /* streamed: bytes of body_in that are gone; the caller's to move on */
    bool headers_done; /* streamed: the head is whole, and status and version are those of it */
    bool unread;       /* no byte of the body matters: the response is followed, or tried again */
    bool reused;       /* rode on an open connection */
    uint16_t peer_port;
    char peer[48];     /* the IP address it was sent to, "" if to none */
    uint64_t received; /* bytes of the body, after decoding */
    uint64_t packed;   /* ... before it, where there is any */
    /* owned: where a redirect points, as its Location says; NULL if it is none */
    char *redirect_url;
    size_t drained; /* bytes of a body that is not read */
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

#define SPT_RESPONSES_MAX 256 /* resting */

struct spt_responses {
    struct spt_link rest;
    unsigned n;
};

void spt_responses_init(struct spt_responses *transfers);

/* Frees those that rest. */
void spt_responses_release(struct spt_responses *transfers);

/* A transfer for a request that was admitted; NULL out of memory. */
struct spt_response *spt_response_take(struct spt_responses *transfers, struct spt_request *r);

/* Has it rest, with its buffers if they are small; frees it where there are enough. */
void spt_response_put(struct spt_responses *transfers, struct spt_response *t);

/* Frees it. Harmless for NULL. */
void spt_response_free(struct spt_response *t);

#endif
