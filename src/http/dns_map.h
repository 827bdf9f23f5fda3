/* Resolves request hosts and passes the addresses to libcurl. libcurl keeps addresses for each
 * multi, under "host:port", until they are removed. To bound their number, a multi is given at most
 * SPT_DNS_MAP_SLOTS of them at a time. */
#ifndef SPT_HTTP_DNS_MAP_H
#define SPT_HTTP_DNS_MAP_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_driver;
struct spt_easy;
struct spt_request;
struct spt_resolver;
struct spt_session;

#define SPT_DNS_MAP_SLOTS 256

/* The entries that a session's multi has, by a hash of "host:port". */
struct spt_dns_map {
    struct spt_resolver *resolver; /* the driver's, borrowed; NULL if libcurl asks the system */
    struct spt_dns_slot {
        char *name; /* owned "host:port"; NULL if the slot is empty */
        unsigned generation;
    } * slots; /* owned; SPT_DNS_MAP_SLOTS of them */
};

/* The CURLOPT_RESOLVE entry that a handle has for one request. */
struct spt_resolve_entry {
    struct curl_slist nodes[2]; /* entries that libcurl removes and adds */
    char *text;                 /* owned text of the nodes; NULL if libcurl needs no entry */
    char *name;                 /* owned: "host:port" */
    unsigned generation;
};

/* Initialises the map of a session. `resolver` is "system", a list of DNS servers as in resolver.h,
 * or NULL for the system's servers. Returns SEPTET_OK or SEPTET_ENOMEM. The caller releases it in
 * either case. */
int spt_dns_map_init(struct spt_dns_map *names, struct spt_driver *driver, const char *resolver);
void spt_dns_map_release(struct spt_dns_map *names);

/* Returns the "host:port" that a request goes to, borrowed from its origin. Must not be called for
 * a request to a unix socket. */
const char *spt_dns_map_of(const struct spt_request *r);

/* Looks up the host of an admitted request. Returns true if the lookup has completed, well or not,
 * or is not needed. Otherwise returns false, and spt_attempt_resolved() is called when it
 * completes. */
bool spt_dns_map_look_up(struct spt_request *r);

/* Sets the addresses on the handle of `r`, unless libcurl has them. */
CURLcode spt_dns_map_apply(struct spt_request *r);

/* Records that libcurl has taken the addresses: it has a connection, or begins to open one. */
void spt_dns_map_commit(struct spt_request *r);

/* Removes the entry from the handle and frees it. */
void spt_dns_map_clear(struct spt_easy *easy);

/* Runs the due work of the resolvers. Returns true if a lookup completed. */
bool spt_dns_map_drain(struct spt_driver *driver);

/* Returns true if a resolver is to be drained at once. */
bool spt_dns_map_due(const struct spt_driver *driver);

/* Frees the resolvers. No session may be left. */
void spt_dns_map_free_resolvers(struct spt_driver *driver);

#endif
