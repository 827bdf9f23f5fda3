/* SPDX-License-Identifier: MIT */
/* The resolvers of a host: one for each list of servers, shared by all that query these. */
#ifndef SPT_DNS_RESOLVERS_H
#define SPT_DNS_RESOLVERS_H

#include <stdbool.h>

#include "base/list.h"

struct spt_loop;
struct spt_resolver;
struct spt_timers;

struct spt_resolvers {
    struct spt_loop *loop;     /* borrowed */
    struct spt_timers *timers; /* borrowed */
    struct spt_link list;      /* private to resolvers.c */
};

void spt_resolvers_init(struct spt_resolvers *resolvers, struct spt_loop *loop,
                        struct spt_timers *timers);

/* Frees the resolvers. No lookup may start any more. */
void spt_resolvers_release(struct spt_resolvers *resolvers);

/* Returns the resolver that queries `servers`, a list as in resolver.h; NULL stands for the
 * system's. It is borrowed until the release. Returns NULL if memory is out. */
struct spt_resolver *spt_resolvers_get(struct spt_resolvers *resolvers, const char *servers);

/* Runs the due work of the resolvers. Returns true if a lookup completed. */
bool spt_resolvers_pass(struct spt_resolvers *resolvers);

/* Returns true if a resolver has work for a pass at once. */
bool spt_resolvers_have_work(const struct spt_resolvers *resolvers);

#endif
