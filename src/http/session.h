/* SPDX-License-Identifier: MIT */
/* Sessions: pools of connections with limits of their own. */
#ifndef SPT_HTTP_SESSION_H
#define SPT_HTTP_SESSION_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

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

/* Fills in `out`. Takes time proportional to the number of open descriptors. */
void spt_session_stats(const struct spt_session *session, struct spt_session_stats *out);

/* Returns the cookies of a session, which are sent and stored only if it was made with a jar. */
struct spt_jar *spt_session_jar(struct spt_session *session);

/* --- private to src/http --- */

/* Schedules a run of the session in the next pass. */
void spt_session_schedule(struct spt_session *session);

/* Admits the next request that may start. Returns NULL if there is none. */
struct spt_request *spt_session_admit(struct spt_session *session);

/* Runs libcurl if an action or its timer is due. */
void spt_session_run(struct spt_session *session);

/* Takes the next transfer that has ended: its handle, and libcurl's result in `*code`. Returns NULL
 * if there is none. */
struct spt_easy *spt_session_next_result(struct spt_session *session, CURLcode *code);

/* Arms the timer for libcurl's next action. */
void spt_session_arm(struct spt_session *session);

/* Adds the handle of a request to its session's multi; spt_session_remove() removes it. */
CURLMcode spt_session_add(struct spt_request *r);
void spt_session_remove(struct spt_request *r);

/* Pauses a transfer in `directions` (CURLPAUSE_*) and resumes it in the others. libcurl may deliver
 * data inside of the call. */
CURLcode spt_session_pause(struct spt_easy *easy, int directions);

/* Has libcurl close an idle connection of the session before it opens another, in the next run. */
void spt_session_evict_idle(struct spt_session *session);

/* Caps the connections that each session of the driver keeps at one while descriptors are `scarce`,
 * or lifts the cap. */
void spt_session_conserve_all(struct spt_driver *driver, bool scarce);

/* Closes the multi of a session that has no requests any more. A no-op if it is closed. */
void spt_session_close_multi(struct spt_session *session);

/* Frees a session with a closed multi. */
void spt_session_free_closed(struct spt_session *session);

/* Initialises the driver's pollers, which report the sockets of all sessions. */
void spt_session_init_pollers(struct spt_driver *driver);

#endif
