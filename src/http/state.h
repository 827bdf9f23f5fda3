/* SPDX-License-Identifier: MIT */
/* The state of a driver, a session and a handle; private to src/http. */
#ifndef SPT_HTTP_STATE_H
#define SPT_HTTP_STATE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/timer.h"
#include "dns/resolvers.h"
#include "http/connection_table.h"
#include "http/cookies.h"
#include "http/digest.h"
#include "http/dns_map.h"
#include "http/exchange.h"
#include "http/head.h"
#include "http/limiter.h"
#include "http/permit.h"
#include "http/phase.h"
#include "http/place.h"
#include "http/policy.h"
#include "http/queues.h"
#include "http/response.h"
#include "http/share.h"
#include "http/stats.h"
#include "http/url_check.h"
#include "loop/pollers.h"

struct spt_request;

#define SPT_EASY_POOL_MAX 256

/* --- the driver --- */

/* Handles that no attempt uses. */
struct spt_easy_pool {
    struct spt_link unused; /* the last used first */
    unsigned n;
    unsigned large; /* number of used ones with a large buffer */
};

/* The call into libcurl that runs, or the last one. */
struct spt_curl_call {
    uint64_t at_ns; /* instant of the last one that may move bytes */
    bool inside;    /* it runs: its callbacks must not call libcurl */
    bool fed;       /* bytes of a body were taken in it */
};

struct spt_driver {
    struct spt_loop *loop;     /* borrowed */
    struct spt_timers *timers; /* borrowed */
    struct spt_pollers pollers;
    struct spt_link sessions; /* every session */
    struct spt_queues queues; /* what the next pass has to do */
    unsigned running;         /* number of handles in the multis */
    struct spt_resolvers resolvers;
    struct spt_easy_pool handles;
    struct spt_response_pool responses;
    unsigned requests;      /* number of requests queued or in flight */
    uint64_t polls_handled; /* number of polls with all their events handled */
    struct spt_url_checker urls;
    struct spt_permit permit;
    struct spt_curl_call call;
    unsigned quirks;           /* bits of quirks.h, with the changes */
    const char *quirk_changes; /* borrowed; NULL if none */
};

/* --- sessions --- */

/* When libcurl wants to run. */
struct spt_multi_due {
    struct spt_timer timer; /* armed no later than at_ns */
    uint64_t at_ns;         /* SPT_NEVER if not at all */
    bool now;
};

/* A multi: a pool of connections. libcurl walks all of it at the end of each request. */
struct spt_multi {
    struct spt_session *session; /* borrowed */
    CURLM *curl;                 /* NULL once closed */
    struct spt_link link;        /* in its session's */
    struct spt_link pending;     /* in its session's queue */
    struct spt_multi_due due;
    struct spt_dns_map dns_map;
    struct spt_place rest; /* connections that are not found by their origin */
    struct spt_place_sums sums;
    uint64_t used_ns; /* when the last request was placed in it, or seen there */
    long max;         /* number of connections that libcurl keeps, used or idle */
    bool capped;      /* a further connection evicts the oldest idle one */
};

struct spt_session_multis {
    struct spt_link all; /* the first of them is `home` */
    unsigned n;          /* number of them */
    uint64_t pruned_ns;  /* when those that are no longer used were last looked for */
    struct spt_link pending;
    struct spt_place_table places;
};

struct spt_session_requests {
    struct spt_link in_flight; /* admitted */
    struct spt_link newcomers; /* watched, started and neither admitted nor known to wait */
};

struct spt_session {
    struct spt_driver *driver;
    struct spt_multi home; /* the only one, until there are many connections */
    struct spt_session_multis multis;
    struct spt_limiter limiter;
    struct spt_share share;
    struct spt_session_stats stats;
    struct spt_nonces nonces;
    struct spt_jar jar;
    bool keeps_cookies, closed;
    struct spt_policy *policy; /* owned; NULL if everything is allowed */
    struct spt_link link;      /* in the driver's sessions */
    struct spt_link pending;   /* in the queue of sessions */
    struct spt_session_requests requests;
    unsigned paused; /* number of them that receive nothing until read */
    struct spt_connection_table connections;
};

/* --- handles --- */

/* Why a callback of ours ended the transfer. */
struct spt_abort {
    const char *code;         /* code of the failure; NULL if none did */
    const char *no_resend;    /* static: reason of a reset, if the exchange must not be repeated */
    int os_errno;             /* of a socket that could not be opened */
    struct spt_denial denial; /* of an address, which is the response's peer */
};

/* The decoding of a body with a content coding. */
struct spt_decoding {
    struct spt_decoder *decoder; /* owned; made at the first byte of a body, NULL if none */
    bool begun;                  /* the first byte of an encoded body was received */
    size_t taken;                /* bytes decoded of the chunk that libcurl will pass again */
};

/* The connection that a handle has or opens. */
struct spt_easy_connection {
    struct spt_link connecting; /* sockets that connect for it */
    struct spt_link stall_link; /* in the queue of stalls */
    int fd;                     /* of the connection it opened; -1 if none */
    bool unstalled;             /* was unstalled since the last socket was opened */
    bool tls;                   /* https */
};

/* What was sent of an exchange. */
struct spt_sent {
    bool engaged;          /* this exchange has had a connection */
    bool on_stream;        /* it has a stream of HTTP/2 */
    bool unseen;           /* the server refused it without processing it */
    long written;          /* bytes sent for earlier exchanges, and for a proxy's */
    curl_off_t body_bytes; /* at the last check */
};

/* What was sent of an exchange that is watched for it. */
struct spt_shown {
    struct spt_buf head; /* the request's lines so far */
    struct spt_buf held; /* bytes of a body that libcurl took before it had sent the lines */
};

/* The uses of libcurl's verbose mode. */
struct spt_verbose {
    bool peeking;           /* libcurl shows the next header line before it reads it */
    bool listens;           /* libcurl reports streams and refusals */
    bool reports;           /* libcurl shows what it has sent */
    struct spt_shown shown; /* emptied at the start of an exchange */
};

/* What is restored after an interim response. */
struct spt_interim {
    enum spt_phase phase; /* of the request, when the response began */
    uint64_t since_ns;    /* instant when it had entered that */
};

/* What is set on a handle. */
struct spt_settings {
    struct spt_resolve_entry resolve_entry;
    struct curl_slist given; /* a copy of the session's entry for the host */
    uint64_t options;        /* number of the connection's options that it has; 0 if none */
    long connect_ms;         /* the time for connecting; 0: libcurl's default */
    bool large;              /* the buffer to receive in is a large one */
    bool unchanged;          /* the attempt has set only what each plain one sets */
    bool completed;          /* ... and libcurl has reported that its transfer ended well */
};

/* A libcurl easy handle, with the state of the attempt that it runs. */
struct spt_easy {
    CURL *curl;
    struct spt_driver *driver;
    struct spt_request *request; /* NULL while pooled */
    struct spt_link link;        /* in the driver's pool */
    struct spt_easy_connection connection;
    struct spt_head head;
    struct spt_decoding decoding;
    struct spt_abort abort;
    struct spt_settings set;
    char error[CURL_ERROR_SIZE]; /* libcurl's error message */
    bool ready;                  /* an exchange of the attempt has had a connection */
    bool restarted;              /* runs on a fresh connection, after a stale one */
    struct spt_exchange exchange;
    struct spt_sent sent;
    struct spt_verbose verbose;
    struct spt_interim interim;
};

#endif
