/* SPDX-License-Identifier: MIT */
/* Connects c-ares to the table of pollers and to a timer. c-ares reports the events that it wants
 * on each socket, and none before it closes one. Its timeouts are read once per pass, because some
 * versions search all queries for the earliest. */
#include "dns/channel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/time.h"
#include "loop/loop.h"
#include "septet/septet.h"

#define SYSTEM_CONF "/etc/resolv.conf"

enum {
    TIMEOUT_MS = 5000, /* of the first try */
    TRIES = 2,
    RECEIVE_BUFFER = 1 << 20 /* bytes: answers to thousands of queries arrive at once */
};

static bool never_idle(void *owner)
{
    return false;
}

static void on_socket_state(void *ud, ares_socket_t fd, int readable, int writable)
{
    struct spt_dns_channel *channel = ud;
    int mask = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    spt_pollers_want(&channel->pollers, fd, mask, channel); /* on an error it times out */
}

/* Passes events to c-ares, which may close the socket or open another one with the same number. The
 * wanted mask is set again, as the table would otherwise drop the socket as readable for ever. */
static void on_socket_ready(void *owner, int fd, int events)
{
    struct spt_dns_channel *channel = owner;
    if (!(events & SPT_POLLER_ERROR))
        channel->responses_seen++;
    channel->timeout_dirty = true;
    ares_process_fd(channel->ares, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
                    events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
    struct spt_poller *s = spt_pollers_find(&channel->pollers, fd);
    if (s)
        spt_pollers_want(&channel->pollers, fd, s->wanted_mask, channel);
    spt_loop_wake(channel->loop);
}

static void on_due(struct spt_timer *timer)
{
    struct spt_dns_channel *channel = SPT_OF(timer, struct spt_dns_channel, timer);
    channel->timeout_dirty = true;
    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void spt_dns_channel_apply(struct spt_dns_channel *channel)
{
    struct timeval left;
    spt_pollers_apply(&channel->pollers);
    if (!channel->timeout_dirty)
        return;
    channel->timeout_dirty = false;
    if (!ares_timeout(channel->ares, NULL, &left)) {
        spt_timer_stop(channel->timers, &channel->timer);
        return;
    }
    /* Rounds up, as c-ares would otherwise find nothing due. */
    uint64_t left_ns =
        (uint64_t)left.tv_sec * SPT_NS_PER_SECOND + (uint64_t)left.tv_usec * SPT_NS_PER_US;
    spt_timer_start(channel->timers, &channel->timer,
                    spt_loop_now(channel->loop) + left_ns + SPT_NS_PER_MS, on_due);
}

/* --- the configuration --- */

static const char *conf_path(const struct spt_dns_channel *channel)
{
    return channel->resolv_conf ? channel->resolv_conf : SYSTEM_CONF;
}

static struct stat look_at(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        memset(&st, 0, sizeof st);
    return st;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ino == b->st_ino && a->st_size == b->st_size;
}

static int open_ares(struct spt_dns_channel *channel, ares_channel *out)
{
    int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_RCVBUF;
    struct ares_options options = {
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = channel,
        .timeout = channel->timeout_ms,
        .tries = TRIES,
        .socket_receive_buffer_size = RECEIVE_BUFFER,
        .resolvconf_path = channel->resolv_conf,
    };
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* 0 seconds: the resolver caches answers */
#endif
    if (channel->resolv_conf)
        mask |= ARES_OPT_RESOLVCONF;
    channel->read = look_at(conf_path(channel));
    channel->checked_ns = spt_loop_now(channel->loop);
    int rc = ares_init_options(out, &options, mask);
    if (rc != ARES_SUCCESS || !channel->servers)
        return rc;
    rc = ares_set_servers_ports_csv(*out, channel->servers);
    if (rc != ARES_SUCCESS)
        ares_destroy(*out);
    return rc;
}

void spt_dns_channel_refresh(struct spt_dns_channel *channel)
{
    uint64_t now_ns = spt_loop_now(channel->loop);
    if (!channel->ares || now_ns < channel->checked_ns + SPT_NS_PER_SECOND)
        return;
    channel->checked_ns = now_ns;
    struct stat st = look_at(conf_path(channel));
    ares_channel old = channel->ares, fresh;
    if (same_file(&st, &channel->read) || open_ares(channel, &fresh) != ARES_SUCCESS)
        return;
    channel->ares = fresh;
    channel->timeout_dirty = true;
    ares_destroy(old);
}

/* --- queries --- */

void spt_dns_channel_query(struct spt_dns_channel *channel, const char *host,
                           ares_addrinfo_callback done, void *arg)
{
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (!channel->ares) {
        int rc = open_ares(channel, &channel->ares);
        if (rc != ARES_SUCCESS) {
            channel->ares = NULL;
            done(arg, rc, 0, NULL);
            return;
        }
    }
    channel->timeout_dirty = true;
    ares_getaddrinfo(channel->ares, host, NULL, &hints, done, arg);
}

void spt_dns_channel_drop(struct spt_dns_channel *channel)
{
    if (!channel->ares)
        return;
    ares_cancel(channel->ares);
    channel->timeout_dirty = true;
}

static int library_code;

static void init_library(void)
{
    library_code = ares_library_init(ARES_LIB_INIT_ALL);
}

int spt_dns_channel_init(struct spt_dns_channel *channel, struct spt_loop *loop,
                         struct spt_timers *timers, const char *servers, const char *resolv_conf,
                         unsigned timeout_ms)
{
    static uv_once_t once = UV_ONCE_INIT;
    uv_once(&once, init_library);
    if (library_code != ARES_SUCCESS)
        return SEPTET_ENOMEM;
    *channel = (struct spt_dns_channel){.loop = loop, .timers = timers};
    channel->timeout_ms = timeout_ms ? (int)timeout_ms : TIMEOUT_MS;
    channel->servers = servers ? strdup(servers) : NULL;
    channel->resolv_conf = resolv_conf ? strdup(resolv_conf) : NULL;
    spt_pollers_init(&channel->pollers, loop, on_socket_ready, never_idle);
    if ((!servers || channel->servers) && (!resolv_conf || channel->resolv_conf))
        return SEPTET_OK;
    spt_dns_channel_release(channel);
    return SEPTET_ENOMEM;
}

void spt_dns_channel_release(struct spt_dns_channel *channel)
{
    if (channel->ares)
        ares_destroy(channel->ares);
    channel->ares = NULL;
    spt_timer_stop(channel->timers, &channel->timer);
    spt_pollers_release(&channel->pollers);
    free(channel->servers);
    free(channel->resolv_conf);
}
