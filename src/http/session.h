/* Sessions: pools of connections with limits of their own. */
#ifndef SPT_HTTP_SESSION_H
#define SPT_HTTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spt_driver;
struct spt_session;

struct spt_session_config {
    unsigned limit;           /* maximum of requests in flight; at least 1 */
    unsigned limit_per_host;  /* ... of one origin (scheme, host, port); at least 1 */
    bool cookies;             /* cookies are stored for the session and sent back */
    const char *const *allow; /* rules, as in policy.h */
    size_t n_allow;
    const char *const *deny;
    size_t n_deny;
    const char *resolver;       /* as in dns_map.h */
    const char *bad_rule;       /* set by spt_session_new() to the rule that is invalid */
    const char *const *resolve; /* "host:port:address" entries, which need no lookup */
    size_t n_resolve;
};

/* Makes a session, which copies what it needs of the config. Returns SEPTET_OK, SEPTET_ENOMEM, or
 * SEPTET_EINVAL if a limit is 0 or a rule is invalid. */
int spt_session_new(struct spt_session **out, struct spt_driver *driver,
                    struct spt_session_config *config);

/* Closes the connections. Requests queued or in flight end with the failure "closed", which is
 * reported in the next drain. New ones are refused with SEPTET_ECLOSED. A no-op if it is closed. */
void spt_session_close(struct spt_session *session);

/* The current state of a session and its totals since it was made. A request is an attempt here;
 * redirects and retries count as further ones. */
struct spt_session_stats {
    unsigned active, queued; /* number of requests in flight and queued */
    unsigned connections;    /* number open or being opened */
    uint64_t requests;       /* number started */
    uint64_t failed;         /* ... that ended without a response */
    uint64_t cancelled;      /* ... that were cancelled */
    uint64_t made, reused;   /* connections opened and reused for requests */
    uint64_t dropped;        /* idle connections found closed */
    uint64_t received;       /* bytes of bodies, after decoding */
    uint64_t sent;           /* bytes of bodies */
};

/* Fills in `out`. Takes time proportional to the number of open descriptors. */
void spt_session_stats(const struct spt_session *session, struct spt_session_stats *out);

/* Closes the session and frees it. spt_driver_free() does so for those that are left. */
void spt_session_free(struct spt_session *session);

#endif
