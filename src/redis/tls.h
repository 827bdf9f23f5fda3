/* SPDX-License-Identifier: MIT */
/* TLS in memory: takes the bytes of a peer and gives its words, and the other way round. The peer
 * must have a certificate for its host. Knows no sockets. */
#ifndef SPT_REDIS_TLS_H
#define SPT_REDIS_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct spt_redis_tls;

/* Makes the client's side of a connection to `host`, a name or an address. Returns NULL if memory
 * is out. */
struct spt_redis_tls *spt_redis_tls_new(const char *host);

/* Frees it; NULL is a no-op. */
void spt_redis_tls_free(struct spt_redis_tls *tls);

/* Takes bytes of the peer, or none, and goes on with the handshake. Returns false if that failed,
 * or if memory is out. */
bool spt_redis_tls_feed(struct spt_redis_tls *tls, const char *bytes, size_t n);

/* Returns true once words can be written. */
bool spt_redis_tls_is_open(const struct spt_redis_tls *tls);

/* Writes words to the peer, at most 16 KiB, on an open one. Returns false if memory is out. */
bool spt_redis_tls_write(struct spt_redis_tls *tls, const char *words, size_t n);

/* Reads words of the peer. Returns their number, 0 if there are none, or -1 if what it sent is
 * wrong. */
int spt_redis_tls_read(struct spt_redis_tls *tls, char *to, int size);

/* Takes bytes that are for the peer. Returns their number. */
size_t spt_redis_tls_take(struct spt_redis_tls *tls, char *to, size_t size);

/* Returns why it failed, in words. */
const char *spt_redis_tls_failure(const struct spt_redis_tls *tls);

#endif
