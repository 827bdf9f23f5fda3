/* Sessions: pools of connections with limits of their own. */
#ifndef SPT_HTTP_SESSION_H
#define SPT_HTTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spt_driver;
struct spt_session;

struct spt_session_config {
    unsigned limit;           /* requests in flight at once; at least 1 */
    unsigned limit_per_host;  /* ... per origin (scheme, host, port); at least 1 */
    bool cookies;             /* kept for the session, and sent back */
    const char *const *allow; /* rules of policy.h */
    size_t n_allow;
    const char *const *deny;
    size_t n_deny;
    const char *resolver;       /* as names.h has it */
    const char *bad_rule;       /* set by spt_session_new: the one that cannot be understood */
    const char *const *resolve; /* "host:port:address", which is not looked up then */
    size_t n_resolve;
};

/* Copies what it needs of the config. */
int spt_session_new(struct spt_session **out, struct spt_driver *driver,
                    struct spt_session_config *config);

/* Drops the connections. Requests still queued or in flight end with the failure "closed",
 * delivered in the next lap; new ones are refused with SEPTET_ECLOSED. Harmless when closed. */
void spt_session_close(struct spt_session *session);

/* What a session does now, and what it has done since it was made. A request is an attempt:
 * redirects and retries are requests of their own. */
struct spt_session_stats {
    unsigned active, queued; /* requests */
    unsigned connections;    /* open, or being opened */
    uint64_t requests;       /* that were started */
    uint64_t failed;         /* ... of which no response came */
    uint64_t cancelled;      /* ... that nobody waited for to their end */
    uint64_t made, reused;   /* connections, for requests */
    uint64_t dropped;        /* connections that ended while nobody used them */
    uint64_t received;       /* bytes of bodies, after decoding */
    uint64_t sent;           /* bytes of bodies */
};

/* Takes time by the number of descriptors that are open. */
void spt_session_stats(const struct spt_session *session, struct spt_session_stats *out);

/* Closes it and frees it; the driver frees those that are left. */
void spt_session_free(struct spt_session *session);

#endif
