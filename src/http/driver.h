/* HTTP on libcurl's multi-socket interface: the only caller of curl_multi_*. One driver a host, one
 * multi a session. It knows no Lua and no tasks: a request is a struct of the caller's, and says
 * that it is done by a callback, in spt_driver_drain and never inside a callback of libcurl or
 * libuv.
 *
 *     request ── start ──▶ queued (admission) ── lap ──▶ in the multi ── message ──▶ on_done
 *                             └────────────── cancel, at any point, at once ─────▶ nothing
 *
 * The three moving parts are each a file: pollers.h (descriptors), limiter.h
 * (who may start), driver.c (easy handles, multis, messages, time limits). */
#ifndef SPT_HTTP_DRIVER_H
#define SPT_HTTP_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

struct spt_driver;
struct spt_loop;
struct spt_timers;

/* Makes the driver. Borrows `loop` and `timers`, which must outlive it. */
int spt_driver_new(struct spt_driver **out, struct spt_loop *loop, struct spt_timers *timers);

/* Closes every session left (their requests are cancelled, silently) and gives everything back. The
 * pollers of its sockets close in later turns of the loop. */
void spt_driver_free(struct spt_driver *driver);

/* Borrows changes to the quirks of libcurl, as quirks.h takes them. To be called before the first
 * session. */
void spt_driver_change_quirks(struct spt_driver *driver, const char *changes);

/* One lap: starts admitted requests, runs what libcurl has due, applies changed poll masks,
 * delivers every finished request through its on_done. Returns true if any was delivered or more is
 * due now. */
bool spt_driver_drain(struct spt_driver *driver);

/* 0: there is something to do at once; SPT_NEVER: there is not. Later instants, libcurl's and the
 * time limits of requests, are in the timers given at the start. */
uint64_t spt_driver_due(const struct spt_driver *driver);

/* For tests and the census: sockets with a poller, and requests queued or in flight. */
unsigned spt_driver_sockets(const struct spt_driver *driver);
unsigned spt_driver_requests(const struct spt_driver *driver);

/* Why this libcurl, with changes to its quirks, is not to speak HTTP/2: static; NULL: it may. */
const char *spt_http2_refusal(const char *quirk_changes);

#endif
