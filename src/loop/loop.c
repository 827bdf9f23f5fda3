/* The host's handles on a libuv loop. It knows when to drain, not what: prepare and check drain,
 * idle keeps the poll between them from blocking, one timer stands for every deadline, and the
 * async handle is how other threads knock. */
#include "loop/loop.h"

#include <assert.h>
#include <stdlib.h>

#include "core/timer.h"
#include "septet/septet.h"

#define NS_PER_MS UINT64_C(1000000)

struct spt_loop {
    uv_loop_t *uv; /* `own`, or the embedder's */
    uv_loop_t own;
    bool owned;
    bool draining;
    bool closing;
    uv_prepare_t prepare; /* holds the loop's reference while somebody counts on us */
    uv_check_t check;
    uv_idle_t idle;   /* active: the next poll does not block */
    uv_timer_t timer; /* armed for timer_ns */
    uv_async_t async;
    uint64_t timer_ns; /* on the real clock; SPT_NEVER when not armed */
    uint64_t now_ns;   /* of the virtual clock; 0: it is the real one */
    uint64_t since_ns; /* real instant from which the virtual clock flows; 0: it stands */
    bool flows;
    unsigned holds; /* handles that are not closed yet, ours and others' */
    unsigned jobs;  /* holds that are requests in the thread pool */
    unsigned refs;  /* reasons for the loop to go on */
    uint64_t polls; /* that have returned */
    spt_drain_fn *drain;
    void *ud;
};

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

/* What is due is run by the drain of the next turn, which must come: since libuv 1.45 timers are
 * the last thing in a turn, and a loop that nothing else keeps alive would end behind this one. */
static void on_timer(uv_timer_t *t)
{
    struct spt_loop *loop = t->data;
    loop->timer_ns = SPT_NEVER;
    uv_idle_start(&loop->idle, on_idle);
}

uint64_t spt_loop_now(const struct spt_loop *loop)
{
    if (!loop->now_ns)
        return uv_hrtime();
    return loop->now_ns + (loop->since_ns ? uv_hrtime() - loop->since_ns : 0);
}

void spt_loop_make_virtual(struct spt_loop *loop)
{
    loop->now_ns = UINT64_C(1000000000);
}

void spt_loop_clock_advance(struct spt_loop *loop, uint64_t to_ns)
{
    if (to_ns > loop->now_ns)
        loop->now_ns = to_ns;
}

void spt_loop_clock_run(struct spt_loop *loop, bool flows)
{
    loop->flows = flows;
}

static void stop_flow(struct spt_loop *loop)
{
    if (loop->now_ns)
        loop->now_ns = spt_loop_now(loop);
    loop->since_ns = 0;
}

/* Instants are rounded up to libuv's milliseconds: woken a fraction early, the drain would find
 * nothing due and the loop would spin until it is. */
static void start_timer(struct spt_loop *loop, uint64_t due_ns)
{
    uv_update_time(loop->uv);
    uint64_t due_ms = due_ns / NS_PER_MS + (due_ns % NS_PER_MS != 0);
    uint64_t now_ms = uv_now(loop->uv);
    uv_timer_start(&loop->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    loop->timer_ns = due_ns;
}

static void on_async(uv_async_t *async)
{
    (void)async; /* it ended the poll; check drains */
}

/* Returns when an instant of a virtual clock is, on the real one. */
static uint64_t real_instant(const struct spt_loop *loop, uint64_t due_ns)
{
    uint64_t real_ns = uv_hrtime(), ns = due_ns > loop->now_ns ? due_ns - loop->now_ns : 0;
    return ns < SPT_NEVER - real_ns ? real_ns + ns : SPT_NEVER;
}

/* A deadline that moved later leaves the timer alone: waking once for nothing is cheaper than
 * arming anew at every turn. */
static void arm(struct spt_loop *loop, uint64_t due_ns)
{
    if (due_ns == SPT_LOOP_NOW) {
        uv_idle_start(&loop->idle, on_idle);
        return;
    }
    uv_idle_stop(&loop->idle);
    if (due_ns != SPT_NEVER && loop->now_ns) /* when that is, as the clock flows from here */
        due_ns = real_instant(loop, due_ns);
    if (due_ns == SPT_NEVER) {
        uv_timer_stop(&loop->timer);
        loop->timer_ns = SPT_NEVER;
    } else if (due_ns < loop->timer_ns) {
        start_timer(loop, due_ns);
    }
}

static void drain(struct spt_loop *loop)
{
    if (loop->draining || loop->closing)
        return;
    loop->draining = true;
    stop_flow(loop);
    uint64_t due_ns = loop->drain(loop->ud);
    loop->since_ns = loop->flows ? uv_hrtime() : 0;
    loop->draining = false;
    arm(loop, due_ns);
}

static void on_prepare(uv_prepare_t *prepare)
{
    drain(prepare->data);
}

static void on_check(uv_check_t *check)
{
    ((struct spt_loop *)check->data)->polls++;
    drain(check->data);
}

/* Only the async handle can fail to be made. */
static int init_handles(struct spt_loop *loop)
{
    if (uv_async_init(loop->uv, &loop->async, on_async) != 0)
        return SEPTET_ELOOP;
    uv_prepare_init(loop->uv, &loop->prepare);
    uv_check_init(loop->uv, &loop->check);
    uv_idle_init(loop->uv, &loop->idle);
    uv_timer_init(loop->uv, &loop->timer);
    loop->async.data = loop->prepare.data = loop->check.data = loop;
    loop->idle.data = loop->timer.data = loop;
    loop->holds = 5;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    uv_unref((uv_handle_t *)&loop->prepare);
    uv_unref((uv_handle_t *)&loop->check);
    uv_unref((uv_handle_t *)&loop->async);
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
    loop->drain = drain_fn;
    loop->ud = ud;
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

/* Turns the loop until every counted handle has closed. A turn that closes none finds the rest
 * open: they will not close by waiting. Jobs do end. */
static int finish_own(struct spt_loop *loop)
{
    unsigned before;
    do {
        before = loop->holds;
        uv_run(&loop->own, loop->jobs > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    } while (loop->holds > 0 && (loop->jobs > 0 || loop->holds < before));
    if (uv_loop_close(&loop->own) != 0)
        return SEPTET_ELOOP; /* the block stays: open handles point into it */
    free(loop);
    return SEPTET_OK;
}

int spt_loop_free(struct spt_loop *loop)
{
    assert(!loop->draining && !loop->closing);
    loop->closing = true;
    uv_close((uv_handle_t *)&loop->prepare, on_closed);
    uv_close((uv_handle_t *)&loop->check, on_closed);
    uv_close((uv_handle_t *)&loop->idle, on_closed);
    uv_close((uv_handle_t *)&loop->timer, on_closed);
    uv_close((uv_handle_t *)&loop->async, on_closed);
    return loop->owned ? finish_own(loop) : SEPTET_OK;
}

void spt_loop_run_once(struct spt_loop *loop, bool wait)
{
    if (loop->draining)
        return;
    spt_loop_ref(loop); /* uv_run on a loop that nothing keeps alive would not drain at all */
    uv_run(loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    spt_loop_unref(loop);
}

void spt_loop_wake(struct spt_loop *loop)
{
    if (!loop->draining && !loop->closing)
        uv_idle_start(&loop->idle, on_idle);
}

void spt_loop_wake_async(struct spt_loop *loop)
{
    uv_async_send(&loop->async);
}

uint64_t spt_loop_polls(const struct spt_loop *loop)
{
    return loop->polls;
}

uv_loop_t *spt_loop_uv(struct spt_loop *loop)
{
    return loop->uv;
}

void spt_loop_ref(struct spt_loop *loop)
{
    if (loop->refs++ == 0)
        uv_ref((uv_handle_t *)&loop->prepare);
}

void spt_loop_unref(struct spt_loop *loop)
{
    assert(loop->refs > 0);
    if (--loop->refs == 0)
        uv_unref((uv_handle_t *)&loop->prepare);
}

void spt_loop_handle_opened(struct spt_loop *loop)
{
    loop->holds++;
}

void spt_loop_handle_closed(struct spt_loop *loop)
{
    assert(loop->holds > 0);
    if (--loop->holds == 0 && loop->closing && !loop->owned)
        free(loop);
}

void spt_loop_job_begin(struct spt_loop *loop)
{
    loop->jobs++;
    spt_loop_handle_opened(loop);
}

void spt_loop_job_end(struct spt_loop *loop)
{
    assert(loop->jobs > 0);
    loop->jobs--;
    spt_loop_handle_closed(loop);
}
