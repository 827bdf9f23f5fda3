/* SPDX-License-Identifier: MIT */
/* Attaches the host to a libuv loop by one prepare, check, idle, timer and async handle. Guarantees
 * that the drain runs before the loop may block. It knows neither Lua nor tasks: the drain is a
 * callback. */
#ifndef SPT_LOOP_LOOP_H
#define SPT_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct spt_loop;
struct spt_stray;
struct spt_turn_budget;

/* Called before and after each poll. Runs everything that can run now, and returns the instant at
 * which it must run again. SPT_LOOP_NOW means at once, SPT_NEVER not before something else wakes
 * it. */
typedef uint64_t spt_drain_fn(void *ud);
#define SPT_LOOP_NOW 0

/* Creates the handles on `foreign`, or on an internal loop if it is NULL. Returns SEPTET_OK,
 * SEPTET_ENOMEM or SEPTET_ELOOP. After spt_loop_free, the memory is freed when the last handle has
 * closed. */
int spt_loop_new(struct spt_loop **out, uv_loop_t *foreign, spt_drain_fn *drain, void *ud);

/* Closes the handles; the drain is not called again. An internal loop is run until all handles and
 * requests have ended. The handles of other code on it are closed without a callback. */
void spt_loop_free(struct spt_loop *loop);

/* Returns true if other code has closed handles of this one, as uv_walk() with uv_close() does. It
 * may not drain any more, and the libuv loop may be closed. */
bool spt_loop_is_lost(const struct spt_loop *loop);

/* Returns true inside the drain. */
bool spt_loop_is_draining(const struct spt_loop *loop);

/* Returns true in a callback of an internal loop's poll, where it cannot be freed. */
bool spt_loop_is_polling(const struct spt_loop *loop);

/* Sets what is called if code inside the drain runs the libuv loop. Such a run returns at once. */
void spt_loop_on_nested(struct spt_loop *loop, void (*fn)(void *ud));

/* Ends the run of the libuv loop that called the drain, as a nested one. */
void spt_loop_refuse(struct spt_loop *loop);

/* Runs one turn of the loop: drain, poll, drain. Waits for events only if `wait` is set and the
 * drain has nothing to run now. Does nothing inside the drain, or if the loop is lost. */
void spt_loop_run_once(struct spt_loop *loop, bool wait);

/* Like spt_loop_run_once() without waiting, but polls first and drains once, after the poll. */
void spt_loop_step(struct spt_loop *loop);

/* Polls without waiting and without a drain. libuv tells the kernel of new descriptors only when it
 * polls, so this precedes a wait for the loop's own descriptor. */
void spt_loop_poll(struct spt_loop *loop);

/* Turns the loop once for its other handles and requests, without a drain, and waits for events.
 * For a host that ends. Returns false if nothing is left that keeps the loop running. */
bool spt_loop_run_others(struct spt_loop *loop);

/* Returns the number of milliseconds for which the loop may wait, as poll() takes it. */
int spt_loop_timeout(struct spt_loop *loop);

/* Returns true if a turn could bring nothing but a wake-up: the loop is internal, has neither
 * handles nor requests of other modules or of the embedder, and its timer wants no drain. */
bool spt_loop_is_quiet(const struct spt_loop *loop);

/* Makes the loop drain again soon, because something became ready outside the drain. Does nothing
 * inside the drain, which says so by the instant that it returns. Owner thread only. */
void spt_loop_wake(struct spt_loop *loop);

/* Like spt_loop_wake(), but safe in any thread and in a signal handler, until spt_loop_free(). Only
 * the first call since a drain began makes a system call. */
void spt_loop_wake_async(struct spt_loop *loop);

/* Returns the number of polls performed so far. */
uint64_t spt_loop_polls(const struct spt_loop *loop);

/* Begins to measure how long the loop waits for events. Each poll that blocks then makes one more
 * system call. Does nothing for an embedder's loop, and on a virtual clock. */
void spt_loop_measure_idle(struct spt_loop *loop);

/* Returns true if that is measured, and sets `ns` to the time so far. */
bool spt_loop_idle(const struct spt_loop *loop, uint64_t *ns);

uv_loop_t *spt_loop_uv(struct spt_loop *loop);

/* Returns the budget of the loop's turns. It has no limits until the caller sets them, bytes_max
 * once and until_ns for a stretch of turns. */
struct spt_turn_budget *spt_loop_budget(struct spt_loop *loop);

/* Returns the time of the host's clock in nanoseconds: CLOCK_MONOTONIC, read at each call, or the
 * virtual clock. */
uint64_t spt_loop_now(const struct spt_loop *loop);

/* Switches to a virtual clock, which begins at one second. It stands still while tasks run, and
 * runs like the real one while the loop waits for outside events. Otherwise it only moves by
 * jumps. */
void spt_loop_make_virtual(struct spt_loop *loop);
void spt_loop_clock_advance(struct spt_loop *loop, uint64_t to_ns); /* never moves back */

/* Sets whether the virtual clock runs after the end of this drain, as it does while the loop waits
 * for outside events. */
void spt_loop_clock_run(struct spt_loop *loop, bool flows);

/* Counts a reason for uv_run to continue even if no drain is due, such as a request in flight.
 * Without one, an idle host does not keep a foreign loop running. */
void spt_loop_ref(struct spt_loop *loop);
void spt_loop_unref(struct spt_loop *loop);

/* Counts a handle that lives on the loop and closes asynchronously, or a request in the thread
 * pool. The loop is not freed until each is released, in its close callback or its own. */
void spt_loop_handle_opened(struct spt_loop *loop);
void spt_loop_handle_closed(struct spt_loop *loop);

/* Closes a handle that is counted. `stray` lies in memory beside it. Other code may have closed it
 * before; `on_closed` is then called, too, once libuv has closed it. Returns false if that has
 * happened already: `on_closed` is not called. */
bool spt_loop_close_handle(struct spt_loop *loop, struct spt_stray *stray, uv_handle_t *handle,
                           uv_close_cb on_closed);

#endif
