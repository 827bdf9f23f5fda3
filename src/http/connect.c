/* SPDX-License-Identifier: MIT */
/* Opens and closes the sockets of handles, checks their addresses, and begins an exchange when
 * libcurl has chosen one of them. */
#include "http/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/body.h"
#include "http/connection_options.h"
#include "http/place.h"
#include "http/quirks.h"
#include "http/resend.h"
#include "http/request.h"
#include "http/signal.h"
#include "http/state.h"
#include "http/timeouts.h"
#include "loop/loop.h"

/* Returns true if the session's policy applies to the address. A proxy that the script names is its
 * own choice, and hides the addresses behind it. The environment may name a proxy or none, so every
 * address is checked. */
static bool is_judged(const struct spt_request *r)
{
    return r->state.session->policy && !(r->connection && r->connection->proxy);
}

static bool is_denied(struct spt_easy *easy, const struct sockaddr *address)
{
    struct spt_request *r = easy->request;
    struct spt_denial *denial = &easy->abort.denial;
    *denial = (struct spt_denial){0};
    if (is_judged(r))
        *denial = spt_policy_address(r->state.session->policy, address, r->state.allowed_by_name);
    if (!denial->reason && !spt_permit_address(&easy->driver->permit, address))
        denial->reason = SPT_DENIED_BY_EMBEDDER;
    if (!denial->reason)
        return false;
    const void *bytes = address->sa_family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                            : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
    inet_ntop(address->sa_family, bytes, r->response->peer.address,
              sizeof r->response->peer.address);
    return true;
}

/* --- sockets --- */

curl_socket_t spt_connect_on_open_socket(void *ud, curlsocktype purpose,
                                         struct curl_sockaddr *address)
{
    struct spt_easy *easy = ud;
    struct spt_request *r = easy->request;
    if (spt_resend_is_refused(easy) || is_denied(easy, &address->addr))
        return CURL_SOCKET_BAD;
    if (r->state.watched)
        spt_signal_address(easy, &address->addr);
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    if (fd < 0) {
        easy->abort.os_errno = errno;
        return CURL_SOCKET_BAD;
    }
    struct spt_poller *s = spt_pollers_open(&easy->driver->pollers, fd, r->state.use.place->multi);
    if (!s) {
        easy->abort.os_errno = ENOMEM;
        close(fd);
        return CURL_SOCKET_BAD;
    }
    spt_pollers_connecting(s, easy, &easy->connection.connecting);
    easy->connection.unstalled = false;
    struct spt_stamps *at = &r->response->stamps;
    if (!at->open_ns) {
        at->open_ns = spt_loop_now(easy->driver->loop);
        spt_timeouts_enter(r, SPT_PHASE_CONNECTING, at->open_ns);
        spt_dns_map_commit(&easy->set.resolve_entry);
    }
    return fd;
}

int spt_connect_on_close_socket(void *ud, curl_socket_t fd)
{
    struct spt_driver *driver = ud;
    spt_pollers_close(&driver->pollers, fd);
    int rc = close(fd);
    spt_queues_fd_released(&driver->queues);
    return rc;
}

/* Returns the local port of a socket, or 0 if there is none. */
static int local_port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port) : 0;
}

/* Chooses the socket that became the connection. Those that lost to it are closed, which some
 * versions of libcurl do not report. */
static void on_connected(struct spt_easy *easy, int local_port)
{
    bool only = easy->connection.connecting.next == easy->connection.connecting.prev;
    while (!spt_list_is_empty(&easy->connection.connecting)) {
        struct spt_poller *s = SPT_OF(easy->connection.connecting.next, struct spt_poller, attempt);
        if (only || local_port_of(s->fd) == local_port) {
            spt_pollers_connected(s);
            s->mark = easy->request->state.use.place;
            spt_place_opened(s->mark);
            easy->connection.fd = s->fd;
            s->shared = easy->request->connection && easy->request->connection->http2;
        } else {
            spt_pollers_close(s->table, s->fd);
        }
    }
}

void spt_connect_drop_connecting(struct spt_easy *easy)
{
    while (!spt_list_is_empty(&easy->connection.connecting)) {
        struct spt_poller *s = SPT_OF(easy->connection.connecting.next, struct spt_poller, attempt);
        spt_pollers_close(s->table, s->fd);
    }
}

/* Quirk POKE: after a failed address, libcurl before 8.4.0 sleeps until that address's share of the
 * time is over, instead of trying the next one. */
void spt_connect_note_over(struct spt_driver *driver, int fd)
{
    struct spt_poller *s = spt_pollers_find(&driver->pollers, fd);
    struct spt_easy *easy = s ? s->opener : NULL;
    if (!SPT_HAS_QUIRK(driver->quirks, POKE) || !easy || easy->connection.unstalled)
        return;
    easy->connection.unstalled = true;
    spt_list_push(&driver->queues.stalls, &easy->connection.stall_link);
    spt_queues_add(&driver->queues, &driver->queues.sessions,
                   &easy->request->state.session->pending);
}

/* libcurl reports a handshake only at its end, and may do all of it in one call. */
void spt_connect_note_handshake(struct spt_driver *driver, int fd)
{
    struct spt_poller *s = spt_pollers_find(&driver->pollers, fd);
    struct spt_easy *easy = s ? s->opener : NULL;
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (!easy || !easy->connection.tls)
        return;
    struct spt_stamps *at = &easy->request->response->stamps;
    if (at->tls_ns || getpeername(fd, (struct sockaddr *)&peer, &size))
        return;
    at->tls_ns = spt_loop_now(driver->loop);
    spt_timeouts_enter(easy->request, SPT_PHASE_TLS, at->tls_ns);
}

/* --- the ready connection --- */

/* Begins an exchange on a ready connection. The answer to a challenge is an exchange of the same
 * attempt, and the response before it is dropped. The time until then counts as waiting, unless the
 * exchange opened a connection of its own. */
static void begin_exchange(struct spt_easy *easy, uint64_t now_ns)
{
    struct spt_stamps *at = &easy->request->response->stamps;
    struct spt_session_stats *stats = &easy->request->state.session->stats;
    if (at->open_ns > at->ready_ns)
        stats->made++;
    else if (!easy->ready)
        stats->reused++;
    if (!at->first_ns || at->open_ns > at->ready_ns)
        at->ready_ns = now_ns;
    at->first_ns = 0;
    spt_body_drop_decoder(easy);
    easy->head.done = easy->head.within = false;
    easy->head.status = easy->head.version = 0;
    easy->request->response->head.len = easy->request->response->trailers.len = 0;
    if (easy->sent.engaged) /* libcurl sent the exchange again, and counts how often */
        easy->set.unchanged = false;
    easy->ready = easy->sent.engaged = true;
    easy->sent.on_stream = easy->sent.unseen = false;
    if (spt_resend_is_guarded(easy->request))
        easy->sent.written = spt_resend_bytes_written(easy);
}

static bool sends_body(const struct spt_easy *easy)
{
    const struct spt_request *r = easy->request;
    return (r->body_len > 0 || r->upload) && !easy->exchange.withheld;
}

static void note_peer(struct spt_response *t, const char *peer, int port)
{
    size_t len = strnlen(peer, sizeof t->peer.address - 1);
    memcpy(t->peer.address, peer, len);
    t->peer.address[len] = '\0';
    t->peer.port = (uint16_t)port;
}

/* Returns true if the ready connection, which has an address, was not opened for this exchange. */
static bool is_reused(const struct spt_easy *easy)
{
    const struct spt_stamps *at = &easy->request->response->stamps;
    const struct spt_connection_options *options = easy->request->connection;
    return at->open_ns <= at->ready_ns && !(options && options->unix_socket);
}

/* Notes the number of the connection, which `is_new` says whether this exchange opened. */
static void note_number(struct spt_easy *easy, bool is_new, struct spt_connection_ends ends)
{
    struct spt_connection_table *numbers = &easy->request->state.session->connections;
    const struct spt_pollers *pollers = &easy->driver->pollers;
    const struct spt_poller *s = is_new ? spt_pollers_find(pollers, easy->connection.fd) : NULL;
    if (is_new)
        spt_connection_table_add(numbers, pollers, ends, easy->connection.fd);
    easy->request->response->peer.connection =
        s ? s->generation : spt_connection_table_find(numbers, pollers, ends);
}

int spt_connect_on_ready(void *ud, char *peer, char *local, int peer_port, int local_port)
{
    struct spt_easy *easy = ud;
    struct spt_request *r = easy->request;
    uint64_t now_ns = spt_loop_now(easy->driver->loop);
    if (spt_resend_is_refused(easy))
        return CURL_PREREQFUNC_ABORT;
    spt_dns_map_commit(&easy->set.resolve_entry);
    bool is_new = !spt_list_is_empty(&easy->connection.connecting);
    on_connected(easy, local_port);
    spt_place_settle(&r->state.use);
    note_number(easy, is_new, spt_connection_ends_of(peer, peer_port, local_port));
    if (!r->connection || !r->connection->unix_socket)
        note_peer(r->response, peer, peer_port);
    if (is_judged(r))
        easy->abort.denial =
            spt_policy_text(r->state.session->policy, peer, peer_port, r->state.allowed_by_name);
    if (!easy->abort.denial.reason && is_reused(easy) &&
        !spt_permit_text(&easy->driver->permit, peer, peer_port))
        easy->abort.denial.reason = SPT_DENIED_BY_EMBEDDER;
    if (easy->abort.denial.reason)
        return CURL_PREREQFUNC_ABORT;
    begin_exchange(easy, now_ns);
    if (r->state.watched)
        spt_signal_connected(easy);
    spt_timeouts_enter(r, sends_body(easy) ? SPT_PHASE_SENDING : SPT_PHASE_WAITING, now_ns);
    return CURL_PREREQFUNC_OK;
}
