/* The host's place on a libuv loop: one prepare, check, idle, timer and async handle, and the
 * promise that the drain runs before the loop may block. It knows neither Lua nor tasks: what is
 * drained is a function it was given. */
#ifndef SPT_LOOP_LOOP_H
#define SPT_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct spt_loop;

/* What to do once a turn. Runs everything that can run now and returns the instant at which it
 * wants to run again: SPT_LOOP_NOW for at once, SPT_NEVER for not before something else wakes it.
 */
typedef uint64_t spt_drain_fn(void *ud);
#define SPT_LOOP_NOW 0

/* Makes handles on `foreign`, or on a loop of its own when NULL. Returns SEPTET_OK, SEPTET_ENOMEM
 * or SEPTET_ELOOP. The result is freed by itself when its last handle has closed after
 * spt_loop_free. */
int spt_loop_new(struct spt_loop **out, uv_loop_t *foreign, spt_drain_fn *drain, void *ud);

/* Closes the handles. On a loop of its own, turns it until all are closed; returns SEPTET_ELOOP
 * when some handle was left open by somebody else, which is a leak. The drain is not called any
 * more. */
int spt_loop_free(struct spt_loop *loop);

/* One turn: drain, poll, drain. Waits for events only if `wait` and the drain wants nothing now.
 * From inside the drain it does nothing. */
void spt_loop_run_once(struct spt_loop *loop, bool wait);

/* Makes the loop drain again soon: something became ready outside the drain. Inside it, it does
 * nothing: what the drain returns says the same. Owner thread only. */
void spt_loop_wake(struct spt_loop *loop);

/* The same from any thread or a signal handler. */
void spt_loop_wake_async(struct spt_loop *loop);

/* How often it has waited for the world, or looked at it, until now. */
uint64_t spt_loop_polls(const struct spt_loop *loop);

uv_loop_t *spt_loop_uv(struct spt_loop *loop);

/* The clock of everything, in nanoseconds: CLOCK_MONOTONIC, fresh at each call, or a virtual
 * one. */
uint64_t spt_loop_now(const struct spt_loop *loop);

/* A virtual clock begins at one second. It stands while tasks run, flows as the real one does while
 * the loop waits for the world outside, and otherwise moves by jumps. */
void spt_loop_make_virtual(struct spt_loop *loop);
void spt_loop_clock_advance(struct spt_loop *loop, uint64_t to_ns); /* never back */

/* Does the loop wait for the world outside, from the end of this drain on? */
void spt_loop_clock_run(struct spt_loop *loop, bool flows);

/* Counts a reason for uv_run to go on beside a drain that is due: a request in flight, a post that
 * may still come. Without one, a host with nothing to do keeps no foreign loop running. */
void spt_loop_ref(struct spt_loop *loop);
void spt_loop_unref(struct spt_loop *loop);

/* Counts a handle that lives on the loop and closes asynchronously; the loop stays until each is
 * released, in its close callback. */
void spt_loop_handle_opened(struct spt_loop *loop);
void spt_loop_handle_closed(struct spt_loop *loop);

/* Counts a request in libuv's thread pool, until its callback has run. It holds the loop; the end
 * of a loop of our own waits for it, as nothing can stop it. */
void spt_loop_job_begin(struct spt_loop *loop);
void spt_loop_job_end(struct spt_loop *loop);

#endif
