/* SPDX-License-Identifier: MIT */
/* Runs c-ares on the loop: its sockets, timeouts and configuration. It knows neither answers nor
 * lookups. */
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
    struct spt_loop *loop;     /* borrowed */
    struct spt_timers *timers; /* borrowed */
    ares_channel ares;         /* NULL until the first query */
    struct spt_pollers pollers;
    struct spt_timer timer;
    bool timeout_dirty;      /* the next timeout may differ from the one the timer is armed for */
    uint64_t responses_seen; /* number of socket events that were not errors */
    char *servers;           /* NULL: the system's */
    char *resolv_conf;       /* NULL: the system's */
    int timeout_ms;
    struct stat read;    /* status of the resolv.conf in use; all 0: there was none */
    uint64_t checked_ns; /* instant of the last check of resolv.conf */
};

/* Initialises the channel; the strings are copied. NULL selects the system's setting, and 0 a
 * timeout of 5000 ms. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_dns_channel_init(struct spt_dns_channel *channel, struct spt_loop *loop,
                         struct spt_timers *timers, const char *servers, const char *resolv_conf,
                         unsigned timeout_ms);

/* Releases the channel. Every query first ends with ARES_EDESTRUCTION. */
void spt_dns_channel_release(struct spt_dns_channel *channel);

/* Queries the addresses of both families, including the hosts file and search domains. May call
 * `done` before it returns. */
void spt_dns_channel_query(struct spt_dns_channel *channel, const char *host,
                           ares_addrinfo_callback done, void *arg);

/* Reloads resolv.conf if it has changed, and checks that at most once a second. Queries in flight
 * then end with ARES_EDESTRUCTION, and the caller must send them again. */
void spt_dns_channel_refresh(struct spt_dns_channel *channel);

/* Cancels every query, which ends with ARES_ECANCELLED, and closes the sockets. */
void spt_dns_channel_drop(struct spt_dns_channel *channel);

/* Updates the timer and the pollers; called once per pass. */
void spt_dns_channel_apply(struct spt_dns_channel *channel);

#endif
