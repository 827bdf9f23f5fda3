/* SPDX-License-Identifier: MIT */
/* HTTP on libcurl's multi-socket interface. A host has one driver, a session has its own multis. It
 * knows no Lua and no tasks. A request is a struct of the caller's. Its completion is reported by a
 * callback, in spt_driver_pass() and never from a poll callback or inside a call into libcurl.
 *
 *     request ── start ──▶ queued ── pass ──▶ looked up ──▶ in the multi ── message ──▶ on_done
 *                             └────────────── cancel, at any point, at once ──────────▶ nothing
 *
 * Its parts: session.h (limits, and the multi of a request), multi.h and place.h, attempt.h (the
 * life of an attempt), limiter.h (the queue and admission), dns_map.h (lookups), easy.h (handles),
 * connect.h, receive.h and body.h (libcurl's callbacks), timeouts.h (phases), queues.h (what the
 * next pass has to do). */
#ifndef SPT_HTTP_DRIVER_H
#define SPT_HTTP_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

struct spt_driver;
struct spt_loop;
struct spt_permit;
struct spt_resolvers;
struct spt_session;
struct spt_timers;

/* Makes the driver. Borrows `loop` and `timers`, which must outlive it. Returns SEPTET_OK or
 * SEPTET_ENOMEM. */
int spt_driver_new(struct spt_driver **out, struct spt_loop *loop, struct spt_timers *timers);

/* Closes every session that is left, cancels their requests without calling on_done, and frees the
 * driver. The pollers of its sockets close in later turns of the loop. */
void spt_driver_free(struct spt_driver *driver);

/* Sets changes to the quirks of libcurl, as quirks.h takes them; borrowed. Must be called before
 * the first session is made. */
void spt_driver_change_quirks(struct spt_driver *driver, const char *changes);

/* Sets the embedder's callback that is asked about connections, as permit.h says. */
void spt_driver_set_permit(struct spt_driver *driver,
                           int (*ask)(void *ud, int what, const char *subject), void *ud);

/* Return what sockets of other kinds use as well: the resolvers and the embedder's callback. */
struct spt_resolvers *spt_driver_resolvers(struct spt_driver *driver);
const struct spt_permit *spt_driver_permit(const struct spt_driver *driver);

/* Starts admitted requests, runs libcurl's due work, applies changed poll masks and calls on_done
 * for completed requests. What exceeds the turn's budget is left to the next turn. Returns true if
 * a request was reported, a lookup completed, or more work is due in this turn. */
bool spt_driver_pass(struct spt_driver *driver);

/* Returns true if the last pass found nothing to do. */
bool spt_driver_has_rested(const struct spt_driver *driver);

/* Returns true if there is work for a pass at once, in this turn or the next. Later instants,
 * libcurl's and the requests' timeouts, are in the timers given to spt_driver_new(). */
bool spt_driver_has_work(const struct spt_driver *driver);

/* Returns the number of sockets with a poller, for tests. */
unsigned spt_driver_sockets(const struct spt_driver *driver);
/* Returns the number of requests queued or in flight. */
unsigned spt_driver_requests(const struct spt_driver *driver);
/* Returns the number of requests among them that libcurl runs. */
unsigned spt_driver_running(const struct spt_driver *driver);

/* Closes the connections of a session. Requests queued or in flight end with the failure "closed",
 * which is reported in the next pass. New ones are refused with SEPTET_ECLOSED. A no-op if it is
 * closed. */
void spt_driver_close_session(struct spt_session *session);

/* Closes the session and frees it. spt_driver_free() does so for those that are left. */
void spt_driver_free_session(struct spt_session *session);

#endif
