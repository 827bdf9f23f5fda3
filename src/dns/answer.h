/* What DNS says, in libcurl's and in our own words: no state, and nobody who waits. */
#ifndef SPT_DNS_ANSWER_H
#define SPT_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

enum { SPT_HOST_MAX = 255 }; /* bytes of a name */

struct ares_addrinfo;

struct spt_answer {
    unsigned refs;
    /* Its own number, unlike that of any other fetch; 0: needed none, and never changes. */
    unsigned generation;
    char addresses[]; /* as CURLOPT_RESOLVE takes them: "192.0.2.1,[2001:db8::1]", best first */
};

/* With one share, or NULL when there is no memory. */
struct spt_answer *spt_answer_new(const char *addresses, size_t len, unsigned generation);

/* Gives a share back; NULL is harmless. */
void spt_answer_drop(struct spt_answer *answer);

/* The addresses, in order; those beyond 16 KiB of text are left out. NULL when there is no
 * memory. */
struct spt_answer *spt_answer_read(const struct ares_addrinfo *info, unsigned generation);

/* Seconds to keep it: the TTL of the record which expires first, but 1 at least and 300 at most. */
int spt_answer_ttl(const struct ares_addrinfo *info);

/* The word for a status of c-ares that is no success. */
const char *spt_answer_failure(int status);

/* The addresses of what needs no asking, a literal or a name of the loopback; false when `host`, in
 * lower case and of 1 to SPT_HOST_MAX bytes, is neither. */
bool spt_answer_literal(const char *host, size_t len, char out[SPT_HOST_MAX + 3]);

#endif
