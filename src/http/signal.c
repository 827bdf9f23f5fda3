/* SPDX-License-Identifier: MIT */
/* Derives signals from what the driver and libcurl report.
 *
 * Where they come from, in libcurl 7.88 as in 8.14:
 *   queued        our own queue: libcurl is given no limits
 *   lookups       our own resolver; if libcurl looks a name up, RESOLVER_START_FUNCTION for the
 *                 begin, and the first socket that is opened for the end
 *   create, reuse OPENSOCKETFUNCTION and PREREQFUNCTION: a connection was opened if the first was
 *                 called since the last exchange, otherwise it was there
 *   headers sent  DEBUGFUNCTION with HEADER_OUT, which follows a successful send. Nothing else
 *                 tells: POSTTRANSFER_TIME_T is of 8.10, and PREREQFUNCTION comes before the send
 *   chunk sent    DATA_OUT for a body in memory. Of a body that an iterator makes, it has the
 *                 framing of its chunks, too; so READFUNCTION shows the bytes. 8.14 calls that
 *                 before it has sent the headers: these bytes are held until then */
#include "http/signal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "http/connection_options.h"
#include "http/dns_map.h"
#include "http/head.h"
#include "http/state.h"
#include "loop/loop.h"
#include "septet/septet.h"

const char *spt_signal_name(enum spt_signal_type type)
{
    static const char *const names[] = {
#define XX(name, word) word,
        SPT_SIGNAL_MAP(XX)
#undef XX
    };
    return type < SPT_SIGNALS ? names[type] : "phase";
}

static void emit(struct spt_request *r, const struct spt_signal *signal)
{
    if (r->state.watched >> signal->type & 1u)
        r->events->on_signal(r, signal);
}

void spt_signal(struct spt_request *r, enum spt_signal_type type, const char *bytes, size_t len)
{
    const struct spt_signal signal = {
        .type = type,
        .t_ns = spt_loop_now(r->state.session->driver->loop),
        .bytes = bytes,
        .len = len,
    };
    emit(r, &signal);
}

void spt_signal_phase(struct spt_request *r, enum spt_phase phase)
{
    const struct spt_signal signal = {
        .type = SPT_SIGNAL_PHASE,
        .t_ns = spt_loop_now(r->state.session->driver->loop),
        .phase = phase,
    };
    emit(r, &signal);
}

static void signal_bare(struct spt_request *r, enum spt_signal_type type)
{
    spt_signal(r, type, NULL, 0);
}

/* --- the queue --- */

void spt_signal_started(struct spt_request *r)
{
    *r->state.signalled = (struct spt_signalled){.request = r};
    spt_link_init(&r->state.signalled->newcomer);
    spt_list_push(&r->state.session->requests.newcomers, &r->state.signalled->newcomer);
}

void spt_signal_queued(struct spt_session *session)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&session->requests.newcomers))) {
        struct spt_request *r = SPT_OF(link, struct spt_signalled, newcomer)->request;
        const struct spt_signal signal = {
            .type = SPT_SIGNAL_QUEUED_START,
            .t_ns = r->state.t_start_ns,
        };
        r->state.signalled->queued = true;
        emit(r, &signal);
    }
}

void spt_signal_admitted(struct spt_request *r)
{
    spt_link_remove(&r->state.signalled->newcomer);
    if (r->state.signalled->queued)
        signal_bare(r, SPT_SIGNAL_QUEUED_END);
    r->state.signalled->queued = false;
}

void spt_signal_ended(struct spt_request *r)
{
    spt_link_remove(&r->state.signalled->newcomer);
}

/* --- lookups --- */

/* Finds the host of a proxy's URL. Returns its length. */
static size_t host_of_proxy(const char *url, const char **host)
{
    const char *from = strstr(url, "://");
    from = from ? from + 3 : url;
    const char *at = strrchr(from, '@');
    *host = at ? at + 1 : from;
    return (*host)[0] == '[' ? strcspn(*host, "]") + 1 : strcspn(*host, ":/");
}

/* Finds the name that is looked up for the request. Returns its length, 0 if only libcurl knows. */
static size_t host_of(const struct spt_request *r, const char **host)
{
    const struct spt_connection_options *options = r->connection;
    if (options && options->proxy)
        return host_of_proxy(options->proxy, host);
    *host = spt_request_authority(r);
    return options && options->env_proxy ? 0 : strcspn(*host, ":");
}

static void signal_name(struct spt_request *r, enum spt_signal_type type)
{
    const char *host;
    size_t len = host_of(r, &host);
    spt_signal(r, type, host, len);
}

static void begin_creating(struct spt_request *r)
{
    struct spt_signalled *s = r->state.signalled;
    if (!s->creating)
        signal_bare(r, SPT_SIGNAL_CREATE_START);
    s->creating = true;
}

static void begin_resolving(struct spt_request *r)
{
    struct spt_signalled *s = r->state.signalled;
    begin_creating(r);
    signal_name(r, SPT_SIGNAL_DNS_MISS);
    signal_name(r, SPT_SIGNAL_DNS_START);
    s->resolving = s->resolved = true;
}

static void end_resolving(struct spt_request *r)
{
    struct spt_signalled *s = r->state.signalled;
    if (s->resolving)
        signal_name(r, SPT_SIGNAL_DNS_END);
    s->resolving = false;
}

static void note_hit(struct spt_request *r)
{
    begin_creating(r);
    signal_name(r, SPT_SIGNAL_DNS_HIT);
    r->state.signalled->resolved = true;
}

/* Returns by which resolver the name is looked up, and thus whether there are signals of it. */
static enum spt_lookup_by lookup_by(const struct spt_request *r)
{
    const struct spt_session *session = r->state.session;
    const struct spt_lookup *lookup = &r->response->lookup;
    if (lookup->on_done)
        return lookup->way == SPT_LOOKUP_PLAIN ? SPT_LOOKUP_BY_NOBODY : SPT_LOOKUP_BY_US;
    return spt_dns_map_is_libcurls(spt_request_authority(r), r->connection, session->share.resolve)
               ? SPT_LOOKUP_BY_LIBCURL
               : SPT_LOOKUP_BY_NOBODY;
}

void spt_signal_lookup(struct spt_request *r)
{
    struct spt_signalled *s = r->state.signalled;
    const struct spt_lookup *lookup = &r->response->lookup;
    s->lookup_by = lookup_by(r);
    if (s->lookup_by != SPT_LOOKUP_BY_US)
        return;
    if (lookup->name)
        spt_signal_phase(r, SPT_PHASE_RESOLVING);
    if (lookup->way == SPT_LOOKUP_ASKED)
        begin_resolving(r);
    else if (lookup->failure || lookup->way == SPT_LOOKUP_JOINED)
        note_hit(r); /* as aiohttp: a lookup that was joined is a hit */
    if (!lookup->name)
        end_resolving(r);
    /* a cached answer is a hit once a connection is opened with it: spt_signal_address() */
}

void spt_signal_looked_up(struct spt_request *r)
{
    end_resolving(r);
}

int spt_signal_on_resolve(void *state, void *reserved, void *ud)
{
    struct spt_easy *easy = ud;
    (void)state;
    (void)reserved;
    end_resolving(easy->request);
    begin_resolving(easy->request);
    return 0;
}

/* --- connections --- */

static void signal_address(struct spt_request *r, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN + 8], host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    unsigned port = 0;
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        port = ntohs(v4->sin_port);
    } else if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        port = ntohs(v6->sin6_port);
    } else {
        const char *path = r->connection ? r->connection->unix_socket : NULL;
        spt_signal(r, SPT_SIGNAL_ATTEMPT, path ? path : "", path ? strlen(path) : 0);
        return;
    }
    int len = snprintf(text, sizeof text, "%s %u", host, port);
    spt_signal(r, SPT_SIGNAL_ATTEMPT, text, (size_t)len);
}

void spt_signal_address(struct spt_easy *easy, const struct sockaddr *address)
{
    struct spt_request *r = easy->request;
    struct spt_signalled *s = r->state.signalled;
    begin_creating(r);
    end_resolving(r);
    if (s->lookup_by != SPT_LOOKUP_BY_NOBODY && !s->resolved)
        note_hit(r);
    s->opened = true;
    signal_address(r, address);
}

/* A request that began to make a connection may still be given one that became free: while its name
 * was looked up. What it began ends all the same. */
void spt_signal_connected(struct spt_easy *easy)
{
    struct spt_request *r = easy->request;
    struct spt_signalled *s = r->state.signalled;
    end_resolving(r);
    if (s->creating)
        signal_bare(r, SPT_SIGNAL_CREATE_END);
    if (!s->opened)
        signal_bare(r, SPT_SIGNAL_REUSE);
    s->creating = s->opened = s->resolved = s->headers_sent = false;
    easy->verbose.shown.head.len = easy->verbose.shown.held.len = 0;
}

/* --- what is sent --- */

static bool is_complete(const struct spt_buf *head)
{
    return head->len >= 4 && memcmp(head->data + head->len - 4, "\r\n\r\n", 4) == 0;
}

/* A proxy's CONNECT is sent before the connection is ready. */
void spt_signal_sent_head(struct spt_easy *easy, const char *bytes, size_t len)
{
    struct spt_request *r = easy->request;
    struct spt_buf *head = &easy->verbose.shown.head, *held = &easy->verbose.shown.held;
    if (!easy->sent.engaged || r->state.signalled->headers_sent)
        return;
    if (spt_buf_append(head, bytes, len) != SEPTET_OK || !is_complete(head))
        return;
    r->state.signalled->headers_sent = true;
    spt_signal(r, SPT_SIGNAL_HEADERS_SENT, head->data, head->len);
    if (held->len > 0)
        spt_signal(r, SPT_SIGNAL_CHUNK_SENT, held->data, held->len);
    held->len = 0;
}

void spt_signal_sent_body(struct spt_easy *easy, const char *bytes, size_t len)
{
    struct spt_request *r = easy->request;
    if (!easy->sent.engaged || len == 0)
        return;
    if (r->state.signalled->headers_sent)
        spt_signal(r, SPT_SIGNAL_CHUNK_SENT, bytes, len);
    else if (spt_buf_append(&easy->verbose.shown.held, bytes, len) != SEPTET_OK)
        easy->verbose.shown.held.len = 0;
}
