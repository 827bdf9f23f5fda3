/* SPDX-License-Identifier: MIT */
/* The addresses of request hosts, as they are passed to libcurl. libcurl keeps addresses for each
 * multi, under "host:port", until they are removed. To bound their number, a multi is given at most
 * SPT_DNS_MAP_SLOTS of them at a time. It knows no requests. */
#ifndef SPT_HTTP_DNS_MAP_H
#define SPT_HTTP_DNS_MAP_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_connection_options;
struct spt_lookup;
struct spt_resolver;
struct spt_resolvers;

#define SPT_DNS_MAP_SLOTS 256

/* The entries that a multi has, by a hash of "host:port". */
struct spt_dns_map {
    struct spt_resolver *resolver; /* borrowed; NULL if libcurl looks up hosts itself */
    struct spt_dns_slot {
        char *name; /* owned "host:port"; NULL if the slot is empty */
        unsigned generation;
        unsigned under_way; /* number of entries that handles have and libcurl may not have taken */
    } * slots;              /* owned; SPT_DNS_MAP_SLOTS of them */
};

/* The CURLOPT_RESOLVE entry that a handle has for one request. */
struct spt_resolve_entry {
    struct curl_slist nodes[2]; /* entries that libcurl removes and adds */
    char *text;                 /* owned text of the nodes; NULL if libcurl needs no entry */
    char *name;                 /* owned: "host:port"; NULL if libcurl has taken the entry */
    struct spt_dns_slot *slot;  /* borrowed from the multi; NULL if the entry is not under way */
    unsigned generation;
};

/* Initialises the map of a multi. `servers` is a list of DNS servers as in resolver.h, NULL for
 * those of resolv.conf, or "system" if libcurl is to look up hosts itself. Returns SEPTET_OK or
 * SEPTET_ENOMEM. The caller releases it in either case. */
int spt_dns_map_init(struct spt_dns_map *map, struct spt_resolvers *resolvers, const char *servers);

/* Initialises the map of a further multi, which looks up hosts like `other`. */
int spt_dns_map_init_like(struct spt_dns_map *map, const struct spt_dns_map *other);

void spt_dns_map_release(struct spt_dns_map *map);

/* Returns true if the host of `name`, "host:port", is to be looked up for a request with these
 * options, which may be NULL. `given` is the list of entries that the session
 * was given. */
bool spt_dns_map_is_ours(const struct spt_dns_map *map, const char *name,
                         const struct spt_connection_options *options,
                         const struct curl_slist *given);

/* Returns true if libcurl looks up a host itself, unless it has the answer: that of `name`, or of a
 * proxy. The host must be one that is not looked up here. */
bool spt_dns_map_is_libcurls(const char *name, const struct spt_connection_options *options,
                             const struct curl_slist *given);

/* Looks up the host of `name`. Returns true if the lookup has completed, with or without success.
 * Otherwise returns false, and the lookup's on_done is called when it completes. */
bool spt_dns_map_look_up(struct spt_dns_map *map, struct spt_lookup *lookup, const char *name);

/* Returns the given entry of "host:port", or NULL. */
const struct curl_slist *spt_dns_map_find_given(const struct curl_slist *given, const char *name);

/* Sets the addresses of a completed lookup on a handle, unless libcurl has them. `name` may be NULL
 * if the lookup has no answer. */
CURLcode spt_dns_map_apply(struct spt_dns_map *map, struct spt_resolve_entry *entry,
                           const struct spt_lookup *lookup, const char *name, CURL *curl);

/* Records that libcurl has taken the addresses: it has a connection, or begins to open one. */
void spt_dns_map_commit(struct spt_resolve_entry *entry);

/* Removes the entry from a handle and frees it. */
void spt_dns_map_clear(struct spt_resolve_entry *entry, CURL *curl);

#endif
