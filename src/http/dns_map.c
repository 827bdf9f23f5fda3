/* Has one resolver for each list of servers. Hashes the names of a session into slots, which mirror
 * the entries of its multi. */
#include "http/dns_map.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"
#include "base/hash.h"
#include "http/state.h"
#include "http/attempt.h"
#include "septet/septet.h"

/* A resolver, shared by all sessions that query the same servers. */
struct resolver {
    struct spt_link link; /* in the driver's resolvers */
    struct spt_resolver *resolver;
    char servers[];
};

/* --- resolvers --- */

static struct spt_resolver *get_resolver(struct spt_driver *driver, const char *servers)
{
    const char *key = servers ? servers : "";
    struct spt_link *head = &driver->resolvers;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        if (strcmp(SPT_OF(l, struct resolver, link)->servers, key) == 0)
            return SPT_OF(l, struct resolver, link)->resolver;
    struct resolver *made = malloc(sizeof *made + strlen(key) + 1);
    if (!made)
        return NULL;
    strcpy(made->servers, key);
    struct spt_resolver_config config = {.servers = servers};
    if (spt_resolver_new(&made->resolver, driver->loop, driver->timers, &config) != SEPTET_OK) {
        free(made);
        return NULL;
    }
    spt_link_init(&made->link);
    spt_list_push(head, &made->link);
    return made->resolver;
}

bool spt_dns_map_drain(struct spt_driver *driver)
{
    struct spt_link *head = &driver->resolvers;
    bool any = false;
    for (struct spt_link *l = head->next; l != head; l = l->next)
        any |= spt_resolver_drain(SPT_OF(l, struct resolver, link)->resolver);
    return any;
}

bool spt_dns_map_due(const struct spt_driver *driver)
{
    const struct spt_link *head = &driver->resolvers;
    for (const struct spt_link *l = head->next; l != head; l = l->next)
        if (spt_resolver_due(SPT_OF(l, struct resolver, link)->resolver) == 0)
            return true;
    return false;
}

void spt_dns_map_free_resolvers(struct spt_driver *driver)
{
    for (struct spt_link *l; (l = spt_list_pop(&driver->resolvers));) {
        struct resolver *r = SPT_OF(l, struct resolver, link);
        spt_resolver_free(r->resolver);
        free(r);
    }
}

/* --- sessions --- */

int spt_dns_map_init(struct spt_dns_map *names, struct spt_driver *driver, const char *resolver)
{
    *names = (struct spt_dns_map){0};
    if (resolver && strcmp(resolver, "system") == 0)
        return SEPTET_OK;
    names->slots = calloc(SPT_DNS_MAP_SLOTS, sizeof *names->slots);
    names->resolver = names->slots ? get_resolver(driver, resolver) : NULL;
    return names->resolver ? SEPTET_OK : SEPTET_ENOMEM;
}

void spt_dns_map_release(struct spt_dns_map *names)
{
    for (size_t i = 0; names->slots && i < SPT_DNS_MAP_SLOTS; i++)
        free(names->slots[i].name);
    free(names->slots);
    *names = (struct spt_dns_map){0};
}

static struct spt_dns_slot *slot_of(struct spt_dns_map *names, const char *name)
{
    return &names->slots[spt_hash(name, strlen(name)) % SPT_DNS_MAP_SLOTS];
}

/* --- requests --- */

/* Relies on the form of an origin's key, "scheme://host:port". */
const char *spt_dns_map_of(const struct spt_request *r)
{
    return strstr(r->origin->key, "://") + 3;
}

static bool is_given_by_the_session(const struct spt_request *r, const char *name)
{
    size_t len = strlen(name);
    for (const struct curl_slist *l = r->session->share.resolve; l; l = l->next)
        if (strncasecmp(l->data, name, len) == 0 && l->data[len] == ':')
            return true;
    return false;
}

/* Returns true if the host is looked up here. An address needs no lookup. With a proxy, the proxy
 * does the lookup, and libcurl that of the proxy. */
static bool is_ours(const struct spt_request *r)
{
    uint8_t v4[4];
    char host[16];
    if (spt_connection_options_has_proxy(r->profile) || (r->profile && r->profile->unix_socket))
        return false;
    const char *name = spt_dns_map_of(r);
    size_t len = strcspn(name, ":");
    if (name[0] == '[')
        return false;
    if (len < sizeof host) {
        memcpy(host, name, len);
        host[len] = '\0';
        if (inet_pton(AF_INET, host, v4) == 1)
            return false;
    }
    return !is_given_by_the_session(r, name);
}

static void on_looked_up(struct spt_lookup *lookup)
{
    spt_attempt_resolved(SPT_OF(lookup, struct spt_response, lookup)->request);
}

bool spt_dns_map_look_up(struct spt_request *r)
{
    struct spt_resolver *resolver = r->session->dns_map.resolver;
    if (!resolver || !is_ours(r))
        return true;
    char host[256];
    snprintf(host, sizeof host, "%.*s", (int)strcspn(spt_dns_map_of(r), ":"), spt_dns_map_of(r));
    r->response->lookup.on_done = on_looked_up;
    return spt_resolver_start(resolver, &r->response->lookup, host);
}

/* Writes the nodes "-old" and "host:port:addresses". Returns false if memory is out. */
static bool write_nodes(struct spt_resolve_entry *n, const char *old, const char *addresses)
{
    size_t old_size = old ? strlen(old) + 2 : 0;
    size_t size = strlen(n->name) + strlen(addresses) + 2;
    n->text = malloc(old_size + size);
    if (!n->text)
        return false;
    if (old)
        snprintf(n->text, old_size, "-%s", old);
    snprintf(n->text + old_size, size, "%s:%s", n->name, addresses);
    n->nodes[0] = (struct curl_slist){n->text, &n->nodes[1]};
    n->nodes[1] = (struct curl_slist){n->text + old_size, NULL};
    return true;
}

CURLcode spt_dns_map_apply(struct spt_request *r)
{
    const struct spt_answer *answer = r->response->lookup.answer;
    CURL *curl = r->easy->curl;
    if (r->session->dns_map.resolver)
        curl_easy_setopt(curl, CURLOPT_DNS_CACHE_TIMEOUT, -1L); /* given entries do not expire */
    if (!answer)
        return CURLE_OK;
    struct spt_resolve_entry *n = &r->easy->resolve_entry;
    const struct spt_dns_slot *slot = slot_of(&r->session->dns_map, spt_dns_map_of(r));
    bool same = slot->name && strcmp(slot->name, spt_dns_map_of(r)) == 0;
    if (same && slot->generation == answer->generation)
        return CURLE_OK;
    n->generation = answer->generation;
    n->name = strdup(spt_dns_map_of(r));
    if (!n->name || !write_nodes(n, same ? NULL : slot->name, answer->addresses))
        return CURLE_OUT_OF_MEMORY;
    n->nodes[1].next = r->session->share.resolve;
    return curl_easy_setopt(curl, CURLOPT_RESOLVE, &n->nodes[same || !slot->name]);
}

void spt_dns_map_commit(struct spt_request *r)
{
    struct spt_resolve_entry *n = &r->easy->resolve_entry;
    if (!n->name)
        return;
    struct spt_dns_slot *slot = slot_of(&r->session->dns_map, n->name);
    free(slot->name);
    *slot = (struct spt_dns_slot){n->name, n->generation};
    n->name = NULL;
}

void spt_dns_map_clear(struct spt_easy *easy)
{
    struct spt_resolve_entry *n = &easy->resolve_entry;
    if (n->text)
        curl_easy_setopt(easy->curl, CURLOPT_RESOLVE, NULL);
    free(n->text);
    free(n->name);
    n->text = n->name = NULL;
}
