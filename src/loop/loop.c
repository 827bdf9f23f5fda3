/* SPDX-License-Identifier: MIT */
/* Decides when to drain. The prepare and check handles call the drain, and the idle handle keeps
 * the poll between them from blocking. One timer serves every deadline, and the async handle wakes
 * the loop from other threads. */
#include "loop/loop.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/time.h"
#include "core/timer.h"
#include "loop/closing.h"
#include "loop/turn_budget.h"
#include "septet/septet.h"

enum { HANDLES = 5 };

/* The handles on the libuv loop. */
struct handles {
    uv_prepare_t prepare; /* keeps the loop running while `refs` is not 0 */
    uv_check_t check;
    uv_idle_t idle;   /* active: the next poll does not block */
    uv_timer_t timer; /* armed for timer_ns */
    uv_async_t async;
    struct spt_stray strays[HANDLES]; /* of these, in this order */
};

/* The caller's drain. */
struct drain {
    spt_drain_fn *run;
    void (*on_nested)(void *ud); /* NULL: none */
    void *ud;
    bool active;
};

/* When a turn drains. */
enum drains { DRAINS_TWICE, DRAINS_AFTER_POLL, DRAINS_NOT };

struct clock {
    uint64_t now_ns;    /* 0: the clock is the real one */
    uint64_t since_ns;  /* real instant since which the clock runs; 0: it stands still */
    bool flows;         /* it runs from the end of the drain on */
    bool measures_idle; /* libuv measures the time in which a loop with a real clock is idle */
};

struct spt_loop {
    uv_loop_t *uv; /* `own`, or the embedder's loop */
    uv_loop_t own;
    bool owned;
    bool freed;   /* spt_loop_free() was called */
    bool polling; /* between the prepare and the check handle */
    enum drains drains;
    struct handles handles;
    struct spt_closing closing;
    atomic_bool woken; /* by spt_loop_wake_async(), since the last drain began */
    uint64_t timer_ns; /* on the real clock; SPT_NEVER: not armed */
    struct clock clock;
    struct spt_turn_budget budget;
    unsigned open_handles; /* number of handles not closed yet, including other modules' and jobs */
    unsigned refs;         /* number of reasons for the loop to continue */
    uint64_t polls;        /* number of polls that have returned */
    struct drain drain;
};

/* --- handles that other code has closed --- */

static bool is_open(const void *handle)
{
    return !uv_is_closing(handle);
}

bool spt_loop_is_lost(const struct spt_loop *loop)
{
    const struct handles *h = &loop->handles;
    return !is_open(&h->prepare) || !is_open(&h->check) || !is_open(&h->idle) ||
           !is_open(&h->timer) || !is_open(&h->async);
}

/* --- the clock --- */

static void on_idle(uv_idle_t *idle)
{
}

/* Keeps the next poll from blocking. */
static void start_idle(struct spt_loop *loop)
{
    if (is_open(&loop->handles.idle))
        uv_idle_start(&loop->handles.idle, on_idle);
}

/* Makes sure that another turn follows, as its drain runs what is due. Since libuv 1.45, timers run
 * at the end of a turn, and a loop that nothing else keeps alive would end after this one. */
static void on_timer(uv_timer_t *t)
{
    struct spt_loop *loop = t->data;
    loop->timer_ns = SPT_NEVER;
    start_idle(loop);
}

uint64_t spt_loop_now(const struct spt_loop *loop)
{
    if (!loop->clock.now_ns)
        return uv_hrtime();
    return loop->clock.now_ns + (loop->clock.since_ns ? uv_hrtime() - loop->clock.since_ns : 0);
}

void spt_loop_make_virtual(struct spt_loop *loop)
{
    loop->clock.now_ns = SPT_NS_PER_SECOND;
}

void spt_loop_clock_advance(struct spt_loop *loop, uint64_t to_ns)
{
    if (to_ns > loop->clock.now_ns)
        loop->clock.now_ns = to_ns;
}

void spt_loop_clock_run(struct spt_loop *loop, bool flows)
{
    loop->clock.flows = flows;
}

static void stop_flow(struct spt_loop *loop)
{
    if (loop->clock.now_ns)
        loop->clock.now_ns = spt_loop_now(loop);
    loop->clock.since_ns = 0;
}

/* Starts the timer, rounding the instant up to libuv's milliseconds. If it fired a fraction early,
 * the drain would find nothing due and the loop would spin until something is. */
static void start_timer(struct spt_loop *loop, uint64_t due_ns)
{
    uv_update_time(loop->uv);
    uint64_t due_ms = due_ns / SPT_NS_PER_MS + (due_ns % SPT_NS_PER_MS != 0);
    uint64_t now_ms = uv_now(loop->uv);
    uv_timer_start(&loop->handles.timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    loop->timer_ns = due_ns;
}

static void on_async(uv_async_t *async)
{
    /* The poll has ended, so the check handle drains. */
}

/* Returns the real instant at which a virtual clock that runs from now on reaches `due_ns`. */
static uint64_t real_instant(const struct spt_loop *loop, uint64_t due_ns)
{
    uint64_t real_ns = uv_hrtime(), now_ns = loop->clock.now_ns;
    uint64_t ns = due_ns > now_ns ? due_ns - now_ns : 0;
    return ns < SPT_NEVER - real_ns ? real_ns + ns : SPT_NEVER;
}

/* Arms the handles for `due_ns`. A timer that is due earlier is left alone, because one useless
 * wake-up is cheaper than arming it again at every turn. */
static void arm(struct spt_loop *loop, uint64_t due_ns)
{
    if (due_ns == SPT_LOOP_NOW) {
        start_idle(loop);
        return;
    }
    uv_idle_stop(&loop->handles.idle);
    if (due_ns != SPT_NEVER && loop->clock.now_ns) /* the clock runs from here on */
        due_ns = real_instant(loop, due_ns);
    if (due_ns == SPT_NEVER) {
        uv_timer_stop(&loop->handles.timer);
        loop->timer_ns = SPT_NEVER;
    } else if (due_ns < loop->timer_ns) {
        start_timer(loop, due_ns);
    }
}

/* Drains, with a reference on the loop: a nested uv_run of a loop that nothing keeps alive would
 * return without reaching the prepare handle. */
static void drain(struct spt_loop *loop)
{
    loop->drain.active = true;
    if (atomic_load_explicit(&loop->woken, memory_order_relaxed))
        atomic_exchange(&loop->woken, false); /* what was sent before is seen after */
    spt_loop_ref(loop);
    stop_flow(loop);
    uint64_t due_ns = loop->drain.run(loop->drain.ud);
    loop->clock.since_ns = loop->clock.flows ? uv_hrtime() : 0;
    spt_loop_unref(loop);
    loop->drain.active = false;
    arm(loop, due_ns);
}

/* uv_stop() keeps the poll from blocking, and uv_run() forgets it when it returns. */
void spt_loop_refuse(struct spt_loop *loop)
{
    uv_stop(loop->uv);
    if (loop->drain.on_nested)
        loop->drain.on_nested(loop->drain.ud);
}

/* Drains. In a uv_run() that was called inside the drain, ends that instead. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct spt_loop *loop = prepare->data;
    if (loop->drain.active) {
        spt_loop_refuse(loop);
        return;
    }
    spt_turn_budget_renew(&loop->budget);
    if (loop->drains == DRAINS_TWICE)
        drain(loop);
    loop->polling = true;
}

static void on_check(uv_check_t *check)
{
    struct spt_loop *loop = check->data;
    if (loop->drain.active)
        return;
    loop->polling = false;
    loop->polls++;
    if (loop->drains != DRAINS_NOT)
        drain(loop);
}

/* Initialises and starts the handles. Only uv_async_init can fail. */
static int init_handles(struct spt_loop *loop)
{
    if (uv_async_init(loop->uv, &loop->handles.async, on_async) != 0)
        return SEPTET_ELOOP;
    uv_prepare_init(loop->uv, &loop->handles.prepare);
    uv_check_init(loop->uv, &loop->handles.check);
    uv_idle_init(loop->uv, &loop->handles.idle);
    uv_timer_init(loop->uv, &loop->handles.timer);
    loop->handles.async.data = loop->handles.prepare.data = loop->handles.check.data = loop;
    loop->handles.idle.data = loop->handles.timer.data = loop;
    loop->open_handles = HANDLES;
    uv_prepare_start(&loop->handles.prepare, on_prepare);
    uv_check_start(&loop->handles.check, on_check);
    uv_unref((uv_handle_t *)&loop->handles.prepare);
    uv_unref((uv_handle_t *)&loop->handles.check);
    uv_unref((uv_handle_t *)&loop->handles.async);
    return SEPTET_OK;
}

int spt_loop_new(struct spt_loop **out, uv_loop_t *foreign, spt_drain_fn *drain_fn, void *ud)
{
    int rc = SEPTET_ELOOP;
    struct spt_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return SEPTET_ENOMEM;
    loop->owned = foreign == NULL;
    loop->uv = foreign ? foreign : &loop->own;
    loop->timer_ns = SPT_NEVER;
    spt_turn_budget_init(&loop->budget);
    loop->drain = (struct drain){.run = drain_fn, .ud = ud};
    spt_closing_init(&loop->closing, loop->uv);
    if (loop->owned && uv_loop_init(&loop->own) != 0)
        goto free_block;
    rc = init_handles(loop);
    if (rc != SEPTET_OK)
        goto close_loop;
    *out = loop;
    return SEPTET_OK;

close_loop:
    if (loop->owned)
        uv_loop_close(&loop->own);
free_block:
    free(loop);
    return rc;
}

static void on_closed(uv_handle_t *handle)
{
    spt_loop_handle_closed(handle->data);
}

bool spt_loop_close_handle(struct spt_loop *loop, struct spt_stray *stray, uv_handle_t *handle,
                           uv_close_cb on_handle_closed)
{
    return spt_closing_close(&loop->closing, stray, handle, on_handle_closed);
}

/* Closes a handle of ours. */
static void close_own(struct spt_loop *loop, unsigned i, void *handle)
{
    if (!spt_loop_close_handle(loop, &loop->handles.strays[i], handle, on_closed))
        spt_loop_handle_closed(loop);
}

/* An internal loop ends here, with what the embedder has on it. A foreign one continues. The memory
 * is freed with the last handle, or here if other code has closed them all. */
void spt_loop_free(struct spt_loop *loop)
{
    assert(!loop->drain.active && !loop->freed);
    spt_loop_handle_opened(loop); /* keeps the memory until the end of this function */
    loop->freed = true;
    close_own(loop, 0, &loop->handles.prepare);
    close_own(loop, 1, &loop->handles.check);
    close_own(loop, 2, &loop->handles.idle);
    close_own(loop, 3, &loop->handles.timer);
    close_own(loop, 4, &loop->handles.async);
    if (loop->owned)
        spt_closing_end_loop(&loop->own);
    assert(!loop->owned || loop->open_handles == 1);
    spt_loop_handle_closed(loop);
}

void spt_loop_run_once(struct spt_loop *loop, bool wait)
{
    if (loop->drain.active || spt_loop_is_lost(loop))
        return;
    spt_loop_ref(loop); /* uv_run would not drain a loop that nothing keeps alive */
    uv_run(loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    spt_loop_unref(loop);
}

static void run_once_draining(struct spt_loop *loop, enum drains drains)
{
    loop->drains = drains;
    spt_loop_run_once(loop, false);
    loop->drains = DRAINS_TWICE;
}

void spt_loop_step(struct spt_loop *loop)
{
    run_once_draining(loop, DRAINS_AFTER_POLL);
}

void spt_loop_poll(struct spt_loop *loop)
{
    run_once_draining(loop, DRAINS_NOT);
}

bool spt_loop_run_others(struct spt_loop *loop)
{
    if (!loop->drain.active && !spt_loop_is_lost(loop)) {
        uv_timer_stop(&loop->handles.timer);
        loop->timer_ns = SPT_NEVER;
        uv_idle_stop(&loop->handles.idle);
    }
    loop->drains = DRAINS_NOT;
    bool more = uv_run(loop->uv, UV_RUN_ONCE) != 0;
    loop->drains = DRAINS_TWICE;
    return more;
}

int spt_loop_timeout(struct spt_loop *loop)
{
    spt_loop_ref(loop); /* libuv waits for nothing if nothing keeps its loop alive */
    uv_update_time(loop->uv);
    int ms = uv_backend_timeout(loop->uv);
    spt_loop_unref(loop);
    return ms;
}

static void count_handle(uv_handle_t *handle, void *ud)
{
    ++*(unsigned *)ud;
}

bool spt_loop_is_quiet(const struct spt_loop *loop)
{
    unsigned n = 0;
    if (!loop->owned || loop->open_handles > HANDLES || loop->uv->active_reqs.count > 0 ||
        uv_is_active((const uv_handle_t *)&loop->handles.idle))
        return false;
    uv_walk(loop->uv, count_handle, &n);
    return n == HANDLES;
}

void spt_loop_wake(struct spt_loop *loop)
{
    if (!loop->drain.active && !loop->freed)
        start_idle(loop);
}

void spt_loop_wake_async(struct spt_loop *loop)
{
    if (!atomic_exchange(&loop->woken, true) && is_open(&loop->handles.async))
        uv_async_send(&loop->handles.async);
}

void spt_loop_measure_idle(struct spt_loop *loop)
{
    if (loop->owned && !loop->clock.now_ns && !loop->clock.measures_idle)
        loop->clock.measures_idle = uv_loop_configure(loop->uv, UV_METRICS_IDLE_TIME) == 0;
}

bool spt_loop_idle(const struct spt_loop *loop, uint64_t *ns)
{
    if (loop->clock.measures_idle)
        *ns = uv_metrics_idle_time(loop->uv);
    return loop->clock.measures_idle;
}

uint64_t spt_loop_polls(const struct spt_loop *loop)
{
    return loop->polls;
}

uv_loop_t *spt_loop_uv(struct spt_loop *loop)
{
    return loop->uv;
}

struct spt_turn_budget *spt_loop_budget(struct spt_loop *loop)
{
    return &loop->budget;
}

void spt_loop_ref(struct spt_loop *loop)
{
    if (loop->refs++ == 0)
        uv_ref((uv_handle_t *)&loop->handles.prepare);
}

void spt_loop_unref(struct spt_loop *loop)
{
    assert(loop->refs > 0);
    if (--loop->refs == 0)
        uv_unref((uv_handle_t *)&loop->handles.prepare);
}

void spt_loop_handle_opened(struct spt_loop *loop)
{
    loop->open_handles++;
}

void spt_loop_handle_closed(struct spt_loop *loop)
{
    assert(loop->open_handles > 0);
    if (--loop->open_handles == 0 && loop->freed)
        free(loop);
}

bool spt_loop_is_draining(const struct spt_loop *loop)
{
    return loop->drain.active;
}

bool spt_loop_is_polling(const struct spt_loop *loop)
{
    return loop->owned && loop->polling && is_open(&loop->handles.check);
}

void spt_loop_on_nested(struct spt_loop *loop, void (*fn)(void *ud))
{
    loop->drain.on_nested = fn;
}
