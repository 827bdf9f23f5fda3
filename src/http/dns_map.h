/* The names that requests go to: which are looked up here, by which resolver, and how libcurl is given what they lead
 * to. libcurl keeps addresses for each multi, under "host:port" and until it is told otherwise; so that this does not
 * grow, it is given no more than SPT_NAMES_MAX of them at a time. */
#ifndef SPT_HTTP_DNS_MAP_H
#define SPT_HTTP_DNS_MAP_H

#include <curl/curl.h>
#include <stdbool.h>

struct spt_driver;
struct spt_easy;
struct spt_request;
struct spt_resolver;
struct spt_session;

#define SPT_NAMES_MAX 256

/* What a session's libcurl knows, by a hash of "host:port". */
struct spt_names {
    struct spt_resolver *resolver; /* borrows: the driver's; NULL: libcurl asks the system */
    struct spt_given {
        char *name; /* owned: "host:port"; NULL: none */
        unsigned generation;
    } * given; /* owned; SPT_NAMES_MAX of them */
};

/* What is on a handle for one request. */
struct spt_naming {
    struct curl_slist nodes[2]; /* what libcurl is to forget, and to know */
    char *text;                 /* owned: theirs; NULL: it knows all it needs */
    char *name;                 /* owned: "host:port" */
    unsigned generation;
};

/* `resolver` is "system", a list of DNS servers as resolver.h has it, or NULL for the system's servers. Returns
 * SEPTET_OK or SEPTET_ENOMEM; release it in either case. */
int spt_names_init(struct spt_names *names, struct spt_driver *driver, const char *resolver);
void spt_names_release(struct spt_names *names);

/* The name a request goes to, with its port: "host:port"; not for one that goes to a unix socket. */
const char *spt_names_of(const struct spt_request *r);

/* Looks up the name of a request that was admitted. Returns false where spt_request_resolved will be called when that
 * is done; true where it is, well or not, or there is nothing to look up. */
bool spt_names_look_up(struct spt_request *r);

/* Gives the addresses to the handle of `r`, as far as libcurl does not know them. */
CURLcode spt_names_put_on(struct spt_request *r);

/* libcurl has taken them: it has a connection, or begins to make one. */
void spt_names_taken(struct spt_request *r);

void spt_names_take_off(struct spt_easy *easy);

/* Does what resolvers have to do; returns whether any lookup ended. */
bool spt_names_drain(struct spt_driver *driver);

/* Does a resolver want to be drained at once? */
bool spt_names_due(const struct spt_driver *driver);

/* No session may be left. */
void spt_names_free_resolvers(struct spt_driver *driver);

#endif
