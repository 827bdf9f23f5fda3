/* Names to addresses, on c-ares: its sockets are polled by the loop, so that there are no threads.
 * Who asks for a name that is being asked for already waits for the same answer, and an answer is
 * kept for as long as its TTL says. It knows no libcurl, only the form in which libcurl takes
 * addresses. */
#ifndef SPT_DNS_RESOLVER_H
#define SPT_DNS_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/timer.h"

struct spt_answer;
struct spt_loop;
struct spt_name;
struct spt_resolver;

/* One who asks; lives in the caller, who sets it up by spt_lookup_init and ends it by
 * spt_lookup_cancel. */
struct spt_lookup {
    /* In spt_resolver_drain; may start or cancel any lookup. */
    void (*on_done)(struct spt_lookup *);
    const struct spt_answer *answer; /* once done, until cancelled; NULL when it failed; shared */
    const char *failure;   /* NULL, or a word: not_found server timeout refused memory; static */
    const char *text;      /* of a failure: c-ares' own words; static */
    struct spt_name *name; /* borrows: what it waits for; NULL when it does not */
    struct spt_link link;  /* in the name's waiters, or in the resolver's done */
};

struct spt_resolver_config {
    const char *servers;     /* "127.0.0.1:5300,[::1]:53"; NULL: the system's */
    const char *resolv_conf; /* NULL: the system's */
    unsigned timeout_ms;     /* of the first try of two; the second has twice as long; 0: 5000 */
};

/* Nothing is read yet; `config` is copied. Returns SEPTET_OK or SEPTET_ENOMEM. */
int spt_resolver_new(struct spt_resolver **out, struct spt_loop *loop, struct spt_timers *timers,
                     const struct spt_resolver_config *config);

/* Drops every query. Lookups that wait are let go of without a call. */
void spt_resolver_free(struct spt_resolver *resolver);

void spt_lookup_init(struct spt_lookup *lookup, void (*on_done)(struct spt_lookup *));

/* Asks for the addresses of `host`, which is copied: a name in ASCII of any case, or a literal.
 * Returns true when the lookup is done already, well or not, and on_done is not called; false when
 * it will be. It holds no reference on the loop: whoever waits for it does. Not to be called inside
 * of a callback of c-ares. */
bool spt_resolver_start(struct spt_resolver *resolver, struct spt_lookup *lookup, const char *host);

/* Ends the wait, if it waits, and lets go of the answer. Harmless at any time after
 * spt_lookup_init. */
void spt_lookup_cancel(struct spt_lookup *lookup);

/* Sends what is queued, calls on_done of what is done, and arms the timer. Returns whether it
 * called any. */
bool spt_resolver_drain(struct spt_resolver *resolver);

/* When it wants to be drained: 0 for at once, or SPT_NEVER for not before the loop or a timer wakes
 * it. */
uint64_t spt_resolver_due(const struct spt_resolver *resolver);

/* For the census. */
struct spt_resolver_count {
    unsigned known;     /* answers kept */
    unsigned waiting;   /* lookups */
    unsigned in_flight; /* names being asked for, also those nobody waits for any more */
    unsigned sockets;
    uint64_t asked; /* names asked for, ever */
};
struct spt_resolver_count spt_resolver_count(const struct spt_resolver *resolver);

#endif
