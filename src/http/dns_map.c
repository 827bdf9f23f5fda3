/* SPDX-License-Identifier: MIT */
/* Hashes names into slots, which mirror the entries of a multi. */
#include "http/dns_map.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dns/answer.h"
#include "dns/resolver.h"
#include "dns/resolvers.h"
#include "http/connection_options.h"
#include "septet/septet.h"

#define CACHE_S 60L /* libcurl's default for what it looks up itself */

/* --- multis --- */

int spt_dns_map_init(struct spt_dns_map *map, struct spt_resolvers *resolvers, const char *servers)
{
    *map = (struct spt_dns_map){0};
    if (servers && strcmp(servers, "system") == 0)
        return SEPTET_OK;
    map->slots = calloc(SPT_DNS_MAP_SLOTS, sizeof *map->slots);
    map->resolver = map->slots ? spt_resolvers_get(resolvers, servers) : NULL;
    return map->resolver ? SEPTET_OK : SEPTET_ENOMEM;
}

int spt_dns_map_init_like(struct spt_dns_map *map, const struct spt_dns_map *other)
{
    *map = (struct spt_dns_map){.resolver = other->resolver};
    if (other->slots)
        map->slots = calloc(SPT_DNS_MAP_SLOTS, sizeof *map->slots);
    return map->slots || !other->slots ? SEPTET_OK : SEPTET_ENOMEM;
}

void spt_dns_map_release(struct spt_dns_map *map)
{
    for (size_t i = 0; map->slots && i < SPT_DNS_MAP_SLOTS; i++)
        free(map->slots[i].name);
    free(map->slots);
    *map = (struct spt_dns_map){0};
}

static struct spt_dns_slot *slot_of(struct spt_dns_map *map, const char *name)
{
    return &map->slots[spt_hash(name, strlen(name)) % SPT_DNS_MAP_SLOTS];
}

/* --- lookups --- */

const struct curl_slist *spt_dns_map_find_given(const struct curl_slist *given, const char *name)
{
    size_t len = given ? strlen(name) : 0;
    for (const struct curl_slist *l = given; l; l = l->next)
        if (strncasecmp(l->data, name, len) == 0 && l->data[len] == ':')
            return l;
    return NULL;
}

static bool is_given(const struct curl_slist *given, const char *name)
{
    return spt_dns_map_find_given(given, name) != NULL;
}

/* Returns true if a host is an IP address, which needs no lookup. An IPv6 one is in brackets. */
static bool is_address(const char *name, size_t len)
{
    uint8_t v4[4];
    char host[16];
    if (name[0] == '[')
        return true;
    if (len >= sizeof host)
        return false;
    memcpy(host, name, len);
    host[len] = '\0';
    return inet_pton(AF_INET, host, v4) == 1;
}

/* With a proxy, the proxy does the lookup, and libcurl that of the proxy. */
bool spt_dns_map_is_ours(const struct spt_dns_map *map, const char *name,
                         const struct spt_connection_options *options,
                         const struct curl_slist *given)
{
    if (!map->resolver || spt_connection_options_has_proxy(options) ||
        (options && options->unix_socket))
        return false;
    return !is_address(name, strcspn(name, ":")) && !is_given(given, name);
}

bool spt_dns_map_is_libcurls(const char *name, const struct spt_connection_options *options,
                             const struct curl_slist *given)
{
    if (options && options->unix_socket)
        return false;
    if (!options || !options->proxy)
        return !is_address(name, strcspn(name, ":")) && !is_given(given, name);
    const char *scheme = strstr(options->proxy, "://");
    const char *host = scheme ? scheme + 3 : options->proxy, *user = strrchr(host, '@');
    host = user ? user + 1 : host;
    return !is_address(host, strcspn(host, ":/"));
}

bool spt_dns_map_look_up(struct spt_dns_map *map, struct spt_lookup *lookup, const char *name)
{
    char host[256];
    snprintf(host, sizeof host, "%.*s", (int)strcspn(name, ":"), name);
    return spt_resolver_start(map->resolver, lookup, host);
}

/* --- entries of handles --- */

/* Writes the nodes "-old" and "host:port:addresses". Returns false if memory is out. */
static bool write_nodes(struct spt_resolve_entry *entry, const char *old, const char *addresses)
{
    size_t old_size = old ? strlen(old) + 2 : 0;
    size_t size = strlen(entry->name) + strlen(addresses) + 2;
    entry->text = malloc(old_size + size);
    if (!entry->text)
        return false;
    if (old)
        snprintf(entry->text, old_size, "-%s", old);
    snprintf(entry->text + old_size, size, "%s:%s", entry->name, addresses);
    entry->nodes[0] = (struct curl_slist){entry->text, &entry->nodes[1]};
    entry->nodes[1] = (struct curl_slist){entry->text + old_size, NULL};
    return true;
}

CURLcode spt_dns_map_apply(struct spt_dns_map *map, struct spt_resolve_entry *entry,
                           const struct spt_lookup *lookup, const char *name, CURL *curl)
{
    const struct spt_answer *answer = lookup->answer;
    /* given entries do not expire; an earlier request may have set this for another session */
    curl_easy_setopt(curl, CURLOPT_DNS_CACHE_TIMEOUT, map->resolver ? -1L : CACHE_S);
    if (!answer)
        return CURLE_OK;
    struct spt_dns_slot *slot = slot_of(map, name);
    bool same = slot->name && strcmp(slot->name, name) == 0;
    /* An entry that is under way removes what the slot has. */
    if (same && slot->generation == answer->generation && slot->under_way == 0)
        return CURLE_OK;
    entry->generation = answer->generation;
    entry->name = strdup(name);
    if (!entry->name || !write_nodes(entry, same ? NULL : slot->name, answer->addresses))
        return CURLE_OUT_OF_MEMORY;
    entry->slot = slot;
    slot->under_way++;
    return curl_easy_setopt(curl, CURLOPT_RESOLVE, &entry->nodes[same || !slot->name]);
}

void spt_dns_map_commit(struct spt_resolve_entry *entry)
{
    if (!entry->slot)
        return;
    struct spt_dns_slot *slot = entry->slot;
    free(slot->name);
    *slot = (struct spt_dns_slot){entry->name, entry->generation, slot->under_way - 1};
    entry->name = NULL;
    entry->slot = NULL;
}

void spt_dns_map_clear(struct spt_resolve_entry *entry, CURL *curl)
{
    if (entry->text)
        curl_easy_setopt(curl, CURLOPT_RESOLVE, NULL);
    if (entry->slot)
        entry->slot->under_way--;
    free(entry->text);
    free(entry->name);
    entry->text = entry->name = NULL;
    entry->slot = NULL;
}
