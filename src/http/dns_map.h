/* The names that requests go to: which are looked up here, by which resolver, and how libcurl is
 * given what they lead to. libcurl keeps addresses for each multi, under "host:port" and until it
 * is told otherwise; so that this does not grow, it is given no more than SPT_DNS_MAP_SLOTS of them
 * at a time. */
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

/* What a session's libcurl knows, by a hash of "host:port". */
struct spt_dns_map {
    struct spt_resolver *resolver; /* borrows: the driver's; NULL: libcurl asks the system */
    struct spt_dns_slot {
        char *name; /* owned: "host:port"; NULL: none */
        unsigned generation;
    } * slots; /* owned; SPT_DNS_MAP_SLOTS of them */
};

/* What is on a handle for one request. */
struct spt_resolve_entry {
    struct curl_slist nodes[2]; /* what libcurl is to forget, and to know */
    char *text;                 /* owned: theirs; NULL: it knows all it needs */
    char *name;                 /* owned: "host:port" */
    unsigned generation;
};

/* `resolver` is "system", a list of DNS servers as resolver.h has it, or NULL for the system's
 * servers. Returns SEPTET_OK or SEPTET_ENOMEM; release it in either case. */
int spt_dns_map_init(struct spt_dns_map *names, struct spt_driver *driver, const char *resolver);
void spt_dns_map_release(struct spt_dns_map *names);

/* The name a request goes to, with its port: "host:port"; not for one that goes to a unix
 * socket. */
const char *spt_dns_map_of(const struct spt_request *r);

/* Looks up the name of a request that was admitted. Returns false where spt_attempt_resolved will
 * be called when that is done; true where it is, well or not, or there is nothing to look up. */
bool spt_dns_map_look_up(struct spt_request *r);

/* Gives the addresses to the handle of `r`, as far as libcurl does not know them. */
CURLcode spt_dns_map_apply(struct spt_request *r);

/* libcurl has taken them: it has a connection, or begins to make one. */
void spt_dns_map_commit(struct spt_request *r);

void spt_dns_map_clear(struct spt_easy *easy);

/* Does what resolvers have to do; returns whether any lookup ended. */
bool spt_dns_map_drain(struct spt_driver *driver);

/* Does a resolver want to be drained at once? */
bool spt_dns_map_due(const struct spt_driver *driver);

/* No session may be left. */
void spt_dns_map_free_resolvers(struct spt_driver *driver);

#endif
