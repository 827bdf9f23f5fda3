/* SPDX-License-Identifier: MIT */
/* Reaps each process by its own number, so that the processes of other code on the same loop stay
 * theirs. A number is signalled only until it is reaped, because the system may then give it to
 * another process. A group keeps its number while it has a process; it is looked at so often that
 * the number cannot come round in between. */
#include "loop/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "base/time.h"
#include "loop/closing.h"
#include "loop/loop.h"

enum {
    TICK_MS = 20,    /* between two looks at processes that are to end */
    END_GRACE_S = 5, /* longest grace at the end of the host */
    KILLED_MS = 1000 /* how long processes are waited for after SIGKILL, if they are */
};

/* The processes of a loop. Its memory stays until they are gone and the handles are closed. */
struct spt_child_set {
    struct spt_loop *loop;
    struct spt_link children; /* those that are starting, running, or have left a group */
    uv_signal_t signal;
    uv_timer_t timer; /* runs while processes are to end, or if SIGCHLD is blocked */
    struct spt_stray strays[2];
    unsigned handles; /* number of handles that are not closed yet */
    bool open;        /* the handles were opened */
    bool blind;       /* the host's thread blocks SIGCHLD */
    bool ended;       /* spt_child_set_free was called */
};

/* --- the set --- */

struct spt_child_set *spt_child_set_new(struct spt_loop *loop)
{
    struct spt_child_set *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    set->loop = loop;
    spt_link_init(&set->children);
    return set;
}

static void free_unused_set(struct spt_child_set *set)
{
    if (set->ended && set->handles == 0 && spt_list_is_empty(&set->children))
        free(set);
}

static void free_child(struct spt_child *child)
{
    spt_launch_release(&child->launch);
    free(child);
}

/* Takes a child out of the set, which no longer needs it. Frees it if its owner has left. */
static void leave_set(struct spt_child *child)
{
    struct spt_child_set *set = child->set;
    spt_link_remove(&child->link);
    spt_loop_unref(set->loop);
    child->set = NULL;
    if (child->freed)
        free_child(child);
    free_unused_set(set);
}

/* --- the end of a process --- */

static int signal_to(const struct spt_child *child, int signal)
{
    pid_t pid = child->launch.pid;
    return kill(child->launch.plan.group ? -pid : pid, signal) == 0 ? 0
                                                                    : uv_translate_sys_error(errno);
}

static void fire_watches(struct spt_child *child)
{
    for (struct spt_link *l; (l = spt_list_pop(&child->watches));) {
        struct spt_child_watch *watch = SPT_OF(l, struct spt_child_watch, link);
        watch->fire(watch);
    }
}

/* Sends SIGKILL if the grace is over. */
static void kill_late(struct spt_child *child)
{
    if (child->ending.kill_at_ns == 0 || child->ending.killed ||
        uv_hrtime() < child->ending.kill_at_ns)
        return;
    child->ending.killed = true;
    signal_to(child, SIGKILL);
}

static void start_timer(struct spt_child_set *set);

static void request_end(struct spt_child *child)
{
    child->ending.kill_at_ns = uv_hrtime() + child->ending.grace_ns;
    signal_to(child, SIGTERM);
    signal_to(child, SIGCONT); /* a stopped process does not get SIGTERM before */
    kill_late(child);
    start_timer(child->set);
}

/* Handles the end of the process itself. What is left of its group is ended like it. */
static void on_ended(struct spt_child *child)
{
    child->state = SPT_CHILD_ENDED;
    child->group_left = child->launch.plan.group && signal_to(child, 0) != UV_ESRCH;
    if (child->group_left && child->ending.kill_at_ns == 0)
        request_end(child);
    fire_watches(child);
    if (!child->group_left)
        leave_set(child);
}

/* Reaps the process if it has ended. May free the child. */
static void reap(struct spt_child *child)
{
    int status = 0;
    pid_t pid = spt_child_exit_reap(&child->exit, &status);
    if (pid == 0)
        return;
    child->lost = pid < 0;
    child->exit_code = pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    child->signal = pid > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    on_ended(child);
}

/* Returns true if nothing is left to do for a group without its leader. Processes of it that
 * have lost their parents are the host's children if it is the first process of a container. */
static bool is_group_gone(const struct spt_child *child)
{
    while (waitpid(-child->launch.pid, NULL, WNOHANG) > 0)
        ;
    return child->ending.killed || signal_to(child, 0) == UV_ESRCH;
}

/* Looks after a child. May free it. */
static void look_after(struct spt_child *child)
{
    if (child->state == SPT_CHILD_STARTING)
        return;
    kill_late(child);
    if (child->state == SPT_CHILD_RUNNING)
        reap(child);
    else if (is_group_gone(child))
        leave_set(child);
}

static void look_after_all(struct spt_child_set *set)
{
    struct spt_link *next;
    for (struct spt_link *l = set->children.next; l != &set->children; l = next) {
        next = l->next;
        look_after(SPT_OF(l, struct spt_child, link));
    }
}

/* --- handles --- */

static void on_signal(uv_signal_t *signal, int number)
{
    look_after_all(signal->data);
}

/* Returns true if the timer must go on. */
static bool is_needed(const struct spt_child_set *set)
{
    const struct spt_link *head = &set->children;
    for (const struct spt_link *l = head->next; l != head; l = l->next)
        if (set->blind || SPT_OF(l, struct spt_child, link)->ending.kill_at_ns)
            return true;
    return false;
}

static void on_tick(uv_timer_t *timer)
{
    struct spt_child_set *set = timer->data;
    look_after_all(set);
    if (!is_needed(set) && !uv_is_closing((uv_handle_t *)timer))
        uv_timer_stop(timer);
}

static void start_timer(struct spt_child_set *set)
{
    if (set->open && !set->ended && !uv_is_closing((uv_handle_t *)&set->timer) &&
        !uv_is_active((uv_handle_t *)&set->timer))
        uv_timer_start(&set->timer, on_tick, TICK_MS, TICK_MS);
}

/* Returns true if the thread blocks SIGCHLD, as programs with a signalfd do. */
static bool is_blind(void)
{
    sigset_t blocked;
    return pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 && sigismember(&blocked, SIGCHLD) == 1;
}

/* Opens the handles with the first process. They do not keep the loop alive; processes do. */
static int open_handles(struct spt_child_set *set)
{
    uv_loop_t *uv = spt_loop_uv(set->loop);
    if (set->open)
        return uv_is_closing((uv_handle_t *)&set->signal) ? UV_ECANCELED : 0;
    int rc = uv_signal_init(uv, &set->signal);
    if (rc < 0)
        return rc;
    uv_timer_init(uv, &set->timer);
    set->signal.data = set->timer.data = set;
    uv_unref((uv_handle_t *)&set->signal);
    uv_unref((uv_handle_t *)&set->timer);
    set->open = true;
    set->handles = 2;
    spt_loop_handle_opened(set->loop);
    spt_loop_handle_opened(set->loop);
    return 0;
}

static int watch_signal(struct spt_child_set *set)
{
    int rc = open_handles(set);
    if (rc == 0 && !uv_is_active((uv_handle_t *)&set->signal))
        rc = uv_signal_start(&set->signal, on_signal, SIGCHLD);
    set->blind = is_blind();
    return rc;
}

static void on_closed(uv_handle_t *handle)
{
    struct spt_child_set *set = handle->data;
    struct spt_loop *loop = set->loop;
    set->handles--;
    free_unused_set(set);
    spt_loop_handle_closed(loop);
}

static void close_handle(struct spt_child_set *set, unsigned i, void *handle)
{
    if (!spt_loop_close_handle(set->loop, &set->strays[i], handle, on_closed))
        on_closed(handle);
}

/* --- the end of the host --- */

static void sleep_ms(unsigned ms)
{
    struct timespec time = {.tv_nsec = (long)(ms * SPT_NS_PER_MS)};
    nanosleep(&time, NULL);
}

/* Requests the end of each process, with a grace that the host's end can wait for. */
static void end_all(struct spt_child_set *set)
{
    const uint64_t latest_ns = uv_hrtime() + END_GRACE_S * SPT_NS_PER_SECOND;
    for (struct spt_link *l = set->children.next; l != &set->children; l = l->next) {
        struct spt_child *child = SPT_OF(l, struct spt_child, link);
        if (child->state != SPT_CHILD_STARTING)
            spt_child_end(child);
        if (child->ending.kill_at_ns > latest_ns)
            child->ending.kill_at_ns = latest_ns;
    }
}

static bool has_processes(const struct spt_child_set *set)
{
    const struct spt_link *head = &set->children;
    for (const struct spt_link *l = head->next; l != head; l = l->next)
        if (SPT_OF(l, struct spt_child, link)->state != SPT_CHILD_STARTING)
            return true;
    return false;
}

/* Waits for the processes. Returns once only those are left that SIGKILL does not end, and those
 * that are starting. */
static void wait_for_all(struct spt_child_set *set)
{
    uint64_t until_ns = uv_hrtime() + END_GRACE_S * SPT_NS_PER_SECOND + KILLED_MS * SPT_NS_PER_MS;
    for (unsigned ms = 1; has_processes(set); ms = ms < TICK_MS ? 2 * ms : TICK_MS) {
        look_after_all(set);
        if (!has_processes(set) || uv_hrtime() > until_ns)
            return;
        sleep_ms(ms);
    }
}

/* Gives up the processes that do not end. */
static void abandon_all(struct spt_child_set *set)
{
    struct spt_link *next;
    for (struct spt_link *l = set->children.next; l != &set->children; l = next) {
        struct spt_child *child = SPT_OF(l, struct spt_child, link);
        next = l->next;
        if (child->state == SPT_CHILD_STARTING)
            continue;
        if (child->state == SPT_CHILD_RUNNING)
            spt_child_exit_remove(&child->exit);
        child->state = SPT_CHILD_ENDED;
        child->lost = true;
        leave_set(child);
    }
}

void spt_child_set_free(struct spt_child_set *set)
{
    set->handles++; /* keeps the memory until the end of this function */
    set->ended = true;
    end_all(set);
    wait_for_all(set);
    abandon_all(set);
    if (set->open) {
        close_handle(set, 0, &set->signal);
        close_handle(set, 1, &set->timer);
    }
    set->handles--;
    free_unused_set(set);
}

/* --- one child --- */

static void on_work(uv_work_t *work)
{
    spt_launch_run(&SPT_OF(work, struct spt_child, work)->launch);
}

/* Ends a process that started too late: its host has ended. */
static void end_now(struct spt_child *child)
{
    unsigned ms = 1;
    child->state = SPT_CHILD_ENDED;
    signal_to(child, SIGKILL);
    for (unsigned waited = 0; waited < KILLED_MS; waited += ms) {
        if (waitpid(child->launch.pid, NULL, WNOHANG) != 0)
            break;
        sleep_ms(ms);
        ms = 2 * ms;
    }
    leave_set(child);
}

static void tell(struct spt_child *child)
{
    spt_child_fn *fn = child->on_started;
    child->on_started = NULL;
    if (fn)
        fn(child->ud);
}

static void on_running(struct spt_child *child)
{
    child->state = SPT_CHILD_RUNNING;
    spt_child_exit_add(&child->exit, child->launch.pid, child->launch.plan.group);
    if (child->set->blind)
        start_timer(child->set);
    tell(child);
    if (child->freed)
        request_end(child);
    reap(child);
}

/* Handles the end of the start. The process may have ended before, so it is looked at. */
static void on_worked(uv_work_t *work, int status)
{
    struct spt_child *child = SPT_OF(work, struct spt_child, work);
    struct spt_loop *loop = child->set->loop;
    if (status != 0)
        child->launch.error = ECANCELED;
    if (child->launch.pid == 0) {
        child->state = SPT_CHILD_ENDED;
        tell(child);
        leave_set(child);
    } else if (child->set->ended) {
        end_now(child);
    } else {
        on_running(child);
    }
    spt_loop_handle_closed(loop);
}

int spt_child_start(struct spt_child **out, struct spt_child_set *set,
                    const struct spt_launch_plan *plan, uint64_t grace_ns, spt_child_fn *fn,
                    void *ud)
{
    struct spt_launch launch;
    if (!spt_launch_init(&launch, plan))
        return UV_ENOMEM;
    struct spt_child *child = calloc(1, sizeof *child);
    int rc = child ? watch_signal(set) : UV_ENOMEM;
    if (rc < 0) {
        spt_launch_release(&launch);
        free(child);
        return rc;
    }
    *child = (struct spt_child){
        .launch = launch, .set = set, .ending.grace_ns = grace_ns, .on_started = fn, .ud = ud};
    spt_link_init(&child->link);
    spt_link_init(&child->watches);
    spt_list_push(&set->children, &child->link);
    spt_loop_ref(set->loop);
    spt_loop_handle_opened(set->loop);
    uv_queue_work(spt_loop_uv(set->loop), &child->work, on_work, on_worked);
    *out = child;
    return 0;
}

void spt_child_forget(struct spt_child *child)
{
    child->on_started = NULL;
}

void spt_child_add_watch(struct spt_child *child, struct spt_child_watch *watch)
{
    assert(child->state != SPT_CHILD_ENDED);
    spt_list_push(&child->watches, &watch->link);
}

int spt_child_kill(struct spt_child *child, int signal)
{
    if (child->state != SPT_CHILD_RUNNING && !child->group_left)
        return UV_ESRCH;
    return signal_to(child, signal);
}

void spt_child_end(struct spt_child *child)
{
    if (child->state == SPT_CHILD_RUNNING && child->ending.kill_at_ns == 0)
        request_end(child);
}

void spt_child_free(struct spt_child *child)
{
    while (spt_list_pop(&child->watches)) {
    }
    child->freed = true;
    child->on_started = NULL;
    if (!child->set)
        free_child(child);
    else if (child->state == SPT_CHILD_STARTING) {
        child->ending.grace_ns = 0; /* it has begun nothing that it would have to complete */
        uv_cancel((uv_req_t *)&child->work); /* succeeds only if it has not begun */
    } else
        spt_child_end(child);
}
