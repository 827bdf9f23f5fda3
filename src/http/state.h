/* What a driver, a session and a pooled handle are made of, and what the files of http/
 * ask of each other: private to loop/. */
#ifndef SPT_HTTP_STATE_H
#define SPT_HTTP_STATE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/limiter.h"
#include "http/cookies.h"
#include "http/driver.h"
#include "http/digest.h"
#include "http/exchange.h"
#include "http/headers.h"
#include "http/dns_map.h"
#include "http/policy.h"
#include "http/connection_options.h"
#include "http/quirks.h"
#include "http/share.h"
#include "loop/pollers.h"
#include "http/request.h"
#include "http/response.h"
#include "http/session.h"
#include "http/url.h"

#define SPT_EASY_POOL_MAX 256

struct spt_driver {
    struct spt_loop *loop;     /* borrows */
    struct spt_timers *timers; /* borrows */
    struct spt_pollers pollers;
    struct spt_link sessions;       /* all */
    struct spt_link pending;        /* those with something to do in the next lap */
    struct spt_link finished;       /* requests to be delivered */
    struct spt_link progress;       /* requests whose on_progress is to be called */
    struct spt_link resume_queue;   /* requests that may go on after a pause */
    struct spt_link connect_stalls; /* handles to be woken, see easy.c */
    struct spt_link fd_waiters;     /* requests for which there was no descriptor */
    unsigned fds_released;     /* descriptors that may have come back since, and were not tried */
    unsigned running;          /* handles in the multis */
    struct spt_link resolvers; /* private to names.c */
    struct spt_link pool;      /* handles at rest, the last used first */
    unsigned pooled;
    struct spt_responses responses;
    unsigned requests;      /* queued or in flight */
    uint64_t now_ns;        /* when libcurl was last entered for a socket */
    uint64_t polls_handled; /* polls of the loop of which all was run that they brought */
    struct spt_url_checker urls;
    bool in_curl;              /* inside a call into libcurl: its callbacks may not call it */
    unsigned quirks;           /* of quirks.h, with the changes */
    const char *quirk_changes; /* borrows; NULL: none */
};

struct spt_session {
    struct spt_driver *driver;
    CURLM *multi; /* NULL once closed */
    struct spt_limiter limiter;
    struct spt_share share;
    struct spt_dns_map dns_map;
    struct spt_session_stats stats;
    struct spt_nonces nonces;
    struct spt_jar jar;
    bool keeps_cookies;
    struct spt_policy *policy; /* owned; NULL: everything is allowed */
    struct spt_link link;      /* in the driver's sessions */
    struct spt_link pending;   /* in the driver's pending */
    struct spt_link in_flight; /* requests in the multi */
    unsigned paused;           /* ... that wait for their readers */
    long max_connects;         /* connections at most, used or idle */
    struct spt_timer timer;    /* stands for due_ns, armed no later than it */
    uint64_t due_ns;           /* when libcurl wants to run, SPT_NEVER for not at all */
    bool action_due;           /* it wants to run now */
    bool connections_capped;   /* a connection more makes the oldest idle one go */
};

/* A libcurl handle and what it remembers of the request it runs. */
struct spt_easy {
    CURL *curl;
    struct spt_driver *driver;
    struct spt_request *request; /* NULL at rest */
    struct spt_link link;        /* in the driver's pool */
    struct spt_link stall_link;  /* in the driver's pokes */
    struct spt_link attempts;    /* sockets that connect for it */
    struct spt_head head;
    struct spt_decoder *decoder; /* owned: of the body, once that has begun; NULL: none */
    bool begun;                  /* the first byte of a body that is coded has come */
    size_t decoded; /* bytes of what libcurl will hand over again that the decoder has had */
    int fd;         /* of the connection it opened; -1: none */
    const char *abort_code; /* the code of the failure for which a callback of ours ended it */
    int open_errno;         /* of a socket that could not be opened */
    struct spt_resolve_entry resolve_entry;
    struct spt_denial denial;    /* of an address, which is the transfer's peer */
    char error[CURL_ERROR_SIZE]; /* libcurl's words */
    const char *repeat; /* static: the reason of a reset, where sending again was refused */
    bool tls;           /* https */
    bool ready;         /* had a connection for its request */
    bool retried;       /* on a fresh connection, after a stale one */
    struct spt_exchange exchange;
    struct curl_slist no_te; /* before the header lines of the exchange, with quirk TRANSFER */
    bool engaged;            /* the exchange has had a connection for its request */
    bool unstalled;          /* since the last socket was opened */
    bool peeking;            /* libcurl shows the next line of a head before it takes it in */
    bool listens;            /* libcurl tells what it does, for the next two */
    bool on_stream;          /* the exchange has a stream of HTTP/2 */
    bool unseen;             /* the server has refused the exchange without looking at it */
    long written;            /* bytes of earlier exchanges, and of a proxy's, that were sent */
    enum spt_phase phase;    /* of the request, when the response began */
    uint64_t t_phase_ns;     /* ... since when it had been in that */
    uint64_t t_open_ns;      /* its first socket; 0: none, the connection was there */
    uint64_t t_tls_ns;       /* its handshake began; 0: it did not */
    uint64_t t_ready_ns;     /* the request could go out */
    uint64_t t_first_ns;     /* the response began; 0: not yet */
    curl_off_t sent_bytes;   /* of the body, when last looked */
};

/* The session has something to do in the next lap. */
void spt_session_schedule(struct spt_session *session);

/* libcurl, entered to pause a transfer in some directions and to have it go on in the others. */
CURLcode spt_easy_pause(struct spt_easy *easy, int directions);

/* No more idle connections are kept, one going with each request that ends; or as many as usual. */
void spt_driver_conserve_descriptors(struct spt_driver *driver, bool spare);

/* Puts the handle of a request into its session's multi, and takes it out. */
CURLMcode spt_session_add(struct spt_request *r);
void spt_session_remove(struct spt_request *r);

#endif
