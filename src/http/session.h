/* SPDX-License-Identifier: MIT */
/* Sessions: pools of connections with limits of their own. */
#ifndef SPT_HTTP_SESSION_H
#define SPT_HTTP_SESSION_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/stats.h"

struct spt_driver;
struct spt_easy;
struct spt_jar;
struct spt_request;
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
    const char *const *resolve; /* "host:port:address" entries, which need no lookup */
    size_t n_resolve;
};

/* Makes a session, which copies what it needs of the config. Returns SEPTET_OK, SEPTET_ENOMEM, or
 * SEPTET_EINVAL if a limit is 0, or if a rule is invalid, which `*bad_rule` then is. The functions
 * spt_driver_close_session() and spt_driver_free_session() end its life. */
int spt_session_new(struct spt_session **out, struct spt_driver *driver,
                    const struct spt_session_config *config, const char **bad_rule);

/* Fills in `out`. Takes time proportional to the number of open descriptors, times that of
 * the session's multis. */
void spt_session_stats(const struct spt_session *session, struct spt_session_stats *out);

/* Returns the cookies of a session, which are sent and stored only if it was made with a jar. */
struct spt_jar *spt_session_jar(struct spt_session *session);

/* --- private to src/http --- */

/* Schedules a run of the session in the next pass. */
void spt_session_schedule(struct spt_session *session);

/* Admits the next request that may start. Returns NULL if there is none. */
struct spt_request *spt_session_admit(struct spt_session *session);

/* Gives an admitted request its place: where an idle connection to its origin is, or where one is
 * to be opened. */
void spt_session_place(struct spt_request *request, uint64_t now_ns);

/* Closes the multis that no request uses, if all their connections are dead or too old. Looks for
 * them once a second at most. */
void spt_session_prune(struct spt_session *session, uint64_t now_ns);

/* Returns true if a connection of the session is idle. */
bool spt_session_has_idle(struct spt_session *session);

/* Has libcurl close an idle connection of the session before it opens one for the request, in the
 * next run. The request, which has no handle, may get another place for that. */
void spt_session_evict_idle(struct spt_request *request);

/* Caps the connections that each multi of the driver keeps at one while descriptors are `scarce`,
 * or lifts the cap. */
void spt_session_conserve_all(struct spt_driver *driver, bool scarce);

/* Closes the multis of a session that has no requests any more. */
void spt_session_close_multis(struct spt_session *session);

/* Frees a session with closed multis. */
void spt_session_free_closed(struct spt_session *session);

#endif
