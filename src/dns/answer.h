/* SPDX-License-Identifier: MIT */
/* Converts c-ares' results to libcurl's address format and to failure words. It keeps no state. */
#ifndef SPT_DNS_ANSWER_H
#define SPT_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

enum { SPT_HOST_MAX = 255 }; /* maximum length of a name in bytes */

struct ares_addrinfo;

struct spt_answer {
    unsigned refs;
    /* Unique number of the answer; 0: it needed no query and never changes. */
    unsigned generation;
    char addresses[]; /* in CURLOPT_RESOLVE's format: "192.0.2.1,[2001:db8::1]", best first */
};

/* Creates an answer with one reference. Returns NULL if there is no memory. */
struct spt_answer *spt_answer_new(const char *addresses, size_t len, unsigned generation);

/* Releases a reference; NULL is a no-op. */
void spt_answer_drop(struct spt_answer *answer);

/* Creates an answer from the addresses of `info`, in their order. Omits those beyond 16 KiB of
 * text. Returns NULL if there is no memory. */
struct spt_answer *spt_answer_read(const struct ares_addrinfo *info, unsigned generation);

/* Returns the time to cache the answer, in seconds: the lowest TTL of its records, limited to the
 * range from 1 to 300. */
int spt_answer_ttl(const struct ares_addrinfo *info);

/* Returns the failure word for a c-ares status other than success. */
const char *spt_answer_failure(int status);

/* Resolves literals and loopback names without a query, and writes the addresses to `out`. `host`
 * is in lower case and has 1 to SPT_HOST_MAX bytes. Returns false if it is neither. */
bool spt_answer_literal(const char *host, size_t len, char out[SPT_HOST_MAX + 3]);

#endif
