/* c-ares on the loop: its sockets, its timeouts and its configuration. It knows neither answers nor
 * who asks. */
#ifndef SPT_DNS_CHANNEL_H
#define SPT_DNS_CHANNEL_H

#include <ares.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/timer.h"
#include "loop/pollers.h"

struct spt_loop;

struct spt_dns_channel {
    struct spt_loop *loop;     /* borrows */
    struct spt_timers *timers; /* borrows */
    ares_channel ares;         /* NULL until the first query */
    struct spt_pollers pollers;
    struct spt_timer timer;
    bool timeout_dirty;      /* what is due first may be another since the timer was armed */
    uint64_t responses_seen; /* how often a socket had something for us that is no error */
    char *servers;           /* NULL: the system's */
    char *resolv_conf;       /* NULL: the system's */
    int timeout_ms;
    struct stat read;    /* of the resolv.conf in use; all 0: there was none */
    uint64_t checked_ns; /* when it was looked at last */
};

/* The texts are copied; NULL and 0 stand for the system's. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_dns_channel_init(struct spt_dns_channel *channel, struct spt_loop *loop,
                         struct spt_timers *timers, const char *servers, const char *resolv_conf,
                         unsigned timeout_ms);

/* Every query ends first, with ARES_EDESTRUCTION. */
void spt_dns_channel_release(struct spt_dns_channel *channel);

/* Asks for both families, hosts file and search domains included. `done` may run inside of the
 * call. */
void spt_dns_channel_query(struct spt_dns_channel *channel, const char *host,
                           ares_addrinfo_callback done, void *arg);

/* Takes up a resolv.conf that has changed, looking at most once a second. Queries in flight then
 * end with ARES_EDESTRUCTION, to be asked anew. */
void spt_dns_channel_refresh(struct spt_dns_channel *channel);

/* Every query ends with ARES_ECANCELLED, and the sockets are closed. */
void spt_dns_channel_drop(struct spt_dns_channel *channel);

/* Brings the timer and the pollers in line; once a lap. */
void spt_dns_channel_apply(struct spt_dns_channel *channel);

#endif
