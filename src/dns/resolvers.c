/* SPDX-License-Identifier: MIT */
/* Keeps the resolvers in a list, which is searched when a session is made. */
#include "dns/resolvers.h"

#include <stdlib.h>
#include <string.h>

#include "dns/resolver.h"
#include "septet/septet.h"

struct shared_resolver {
    struct spt_link link; /* in the list of resolvers */
    struct spt_resolver *resolver;
    char servers[];
};

void spt_resolvers_init(struct spt_resolvers *resolvers, struct spt_loop *loop,
                        struct spt_timers *timers)
{
    *resolvers = (struct spt_resolvers){.loop = loop, .timers = timers};
    spt_link_init(&resolvers->list);
}

void spt_resolvers_release(struct spt_resolvers *resolvers)
{
    for (struct spt_link *l; (l = spt_list_pop(&resolvers->list));) {
        struct shared_resolver *shared = SPT_OF(l, struct shared_resolver, link);
        spt_resolver_free(shared->resolver);
        free(shared);
    }
}

struct spt_resolver *spt_resolvers_get(struct spt_resolvers *resolvers, const char *servers)
{
    const char *key = servers ? servers : "";
    struct spt_link *head = &resolvers->list;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        if (strcmp(SPT_OF(l, struct shared_resolver, link)->servers, key) == 0)
            return SPT_OF(l, struct shared_resolver, link)->resolver;
    struct shared_resolver *made = malloc(sizeof *made + strlen(key) + 1);
    if (!made)
        return NULL;
    strcpy(made->servers, key);
    struct spt_resolver_config config = {.servers = servers};
    if (spt_resolver_new(&made->resolver, resolvers->loop, resolvers->timers, &config) !=
        SEPTET_OK) {
        free(made);
        return NULL;
    }
    spt_link_init(&made->link);
    spt_list_push(head, &made->link);
    return made->resolver;
}

bool spt_resolvers_pass(struct spt_resolvers *resolvers)
{
    struct spt_link *head = &resolvers->list;
    bool any = false;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        any |= spt_resolver_pass(SPT_OF(l, struct shared_resolver, link)->resolver);
    return any;
}

bool spt_resolvers_have_work(const struct spt_resolvers *resolvers)
{
    const struct spt_link *head = &resolvers->list;
    for (const struct spt_link *l = head->next; l != head; l = l->next)
        if (spt_resolver_has_work(SPT_OF(l, struct shared_resolver, link)->resolver))
            return true;
    return false;
}
