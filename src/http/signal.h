/* SPDX-License-Identifier: MIT */
/* Signals: what happens to a watched attempt, reported where it happens, also inside a callback of
 * libcurl. An on_signal may only record them. An attempt that is not watched pays one test for each
 * place. */
#ifndef SPT_HTTP_SIGNAL_H
#define SPT_HTTP_SIGNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

struct spt_easy;
struct spt_session;
struct sockaddr;

/* The signals, each with its name for hooks. `bytes` is the text of
 *   a lookup    the host's name; "" if libcurl does not tell which name it looks up
 *   ATTEMPT     the address and the port, with a blank between them, or the path of a unix socket
 *   HEADERS     the status line and the header lines
 *   HEADERS_SENT  the request's lines as they were sent, secrets included
 *   CHUNK*      bytes of a body, without the transfer's and the content's coding
 * Every *_START of a connection is followed by its *_END, or by the end of the attempt. */
#define SPT_SIGNAL_MAP(XX)                                                                         \
    XX(QUEUED_START, "connection_queued_start")                                                    \
    XX(QUEUED_END, "connection_queued_end")                                                        \
    XX(CREATE_START, "connection_create_start")                                                    \
    XX(CREATE_END, "connection_create_end")                                                        \
    XX(REUSE, "connection_reuseconn")                                                              \
    XX(ATTEMPT, "connection_attempt")                                                              \
    XX(DNS_START, "dns_resolvehost_start")                                                         \
    XX(DNS_END, "dns_resolvehost_end")                                                             \
    XX(DNS_HIT, "dns_cache_hit")                                                                   \
    XX(DNS_MISS, "dns_cache_miss")                                                                 \
    XX(HEADERS_SENT, "request_headers_sent")                                                       \
    XX(CHUNK_SENT, "request_chunk_sent")                                                           \
    XX(HEADERS, "response_headers")                                                                \
    XX(CHUNK, "response_chunk_received")

enum spt_signal_type {
#define XX(name, word) SPT_SIGNAL_##name,
    SPT_SIGNAL_MAP(XX)
#undef XX
        SPT_SIGNALS,
    /* not for hooks: the attempt enters a phase */
    SPT_SIGNAL_PHASE = SPT_SIGNALS
};

#define SPT_SIGNAL_BIT(name) (1u << SPT_SIGNAL_##name)

/* Signals that cost little, and that a log needs to know what is open. */
#define SPT_SIGNALS_OF_CONNECTIONS (SPT_SIGNAL_BIT(HEADERS_SENT) - 1)

/* Signals that take libcurl's verbose mode, which formats texts that nobody reads. */
#define SPT_SIGNALS_OF_SENDING (SPT_SIGNAL_BIT(HEADERS_SENT) | SPT_SIGNAL_BIT(CHUNK_SENT))

struct spt_signal {
    enum spt_signal_type type;
    uint64_t t_ns;     /* instant on the host's clock */
    const char *bytes; /* borrowed for the call */
    size_t len;
    bool failed; /* of an *_END: what it ends did not succeed */
    /* of a PHASE: the phase that begins; QUEUED: the queue was left, and it is not known yet
     * whether the name is looked up */
    enum spt_phase phase;
};

/* Returns the name of a signal for hooks. */
const char *spt_signal_name(enum spt_signal_type type);

/* Returns true if an attempt is watched for a signal. */
#define SPT_SIGNAL_IS_WANTED(r, name) (((r)->state.watched & SPT_SIGNAL_BIT(name)) != 0)

/* --- private to src/http; all but the first two are to be called for watched attempts alone --- */

/* Reports a signal, now, if the attempt is watched for it. */
void spt_signal(struct spt_request *r, enum spt_signal_type type, const char *bytes, size_t len);

/* Reports that a phase begins. */
void spt_signal_phase(struct spt_request *r, enum spt_phase phase);

/* Notes that a request was started, and is about to be admitted or queued. */
void spt_signal_started(struct spt_request *r);

/* Reports which requests of the session have to wait, after others were admitted. */
void spt_signal_queued(struct spt_session *session);

/* Reports the end of a wait. */
void spt_signal_admitted(struct spt_request *r);

/* Forgets a request that ends. */
void spt_signal_ended(struct spt_request *r);

/* Reports what is known of a name once its lookup has begun. */
void spt_signal_lookup(struct spt_request *r);

/* Reports the end of a lookup that had to wait. */
void spt_signal_looked_up(struct spt_request *r);

/* libcurl's callback when it begins a lookup of its own; `ud` is the spt_easy. */
int spt_signal_on_resolve(void *state, void *reserved, void *ud);

/* Reports an address that is tried. */
void spt_signal_address(struct spt_easy *easy, const struct sockaddr *address);

/* Reports that an exchange has its connection, which was opened for it or not. */
void spt_signal_connected(struct spt_easy *easy);

/* Reports bytes of the request that libcurl has sent. */
void spt_signal_sent_head(struct spt_easy *easy, const char *bytes, size_t len);
void spt_signal_sent_body(struct spt_easy *easy, const char *bytes, size_t len);

#endif
