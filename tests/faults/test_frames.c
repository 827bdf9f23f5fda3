/* SPDX-License-Identifier: MIT */
/* A host that is stepped once a frame: requests complete, and no step waits for anything. */
#include "support/host_fixture.h"

#include <dlfcn.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

enum { FRAME_NS = 1000000000 / 60, BUDGET_US = 2000, FRAMES_MAX = 60 * 60 };

/* --- the calls of the C library in which a thread waits --- */

static struct {
    bool stepping;
    unsigned polls_handled; /* without waiting, in a step */
    unsigned waits;         /* in a step */
} calls;

static void note(int timeout)
{
    if (!calls.stepping)
        return;
    if (timeout == 0)
        calls.polls_handled++;
    else
        calls.waits++;
}

/* These stand in for the C library's. */
int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    typedef int fn(int, struct epoll_event *, int, int);
    note(timeout);
    return ((fn *)dlsym(RTLD_NEXT, "epoll_wait"))(fd, events, max, timeout);
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
    typedef int fn(int, struct epoll_event *, int, int, const sigset_t *);
    note(timeout);
    return ((fn *)dlsym(RTLD_NEXT, "epoll_pwait"))(fd, events, max, timeout, mask);
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    typedef int fn(struct pollfd *, nfds_t, int);
    note(timeout);
    return ((fn *)dlsym(RTLD_NEXT, "poll"))(fds, n, timeout);
}

/* --- an engine --- */

static int step(septet_host *host)
{
    calls.stepping = true;
    int rc = septet_step(host, BUDGET_US);
    calls.stepping = false;
    return rc;
}

/* Draws frames until the script has ended; returns their number. */
static unsigned play(septet_host *host, const char *path)
{
    const struct timespec frame = {.tv_nsec = FRAME_NS};
    unsigned frames = 0;
    assert_file_loads(host, path);
    while (step(host) > 0 && ++frames < FRAMES_MAX)
        nanosleep(&frame, NULL);
    assert_true(frames < FRAMES_MAX);
    return frames;
}

static void test_http_45_requests_complete_at_sixty_frames_a_second(void **state)
{
    struct host_fixture *f = *state;
    unsigned frames = play(f->host, "faults/frames.lua");
    assert_silent(&f->reports);
    assert_true(frames >= 6); /* what waited 0.1 s twice held none of them up */
    assert_int_equal(calls.waits, 0);
    assert_true(calls.polls_handled >= frames);
}

/* Unlike a step, a run waits: the count above is no accident. */
static void test_http_45_a_run_does_wait(void **state)
{
    struct host_fixture *f = *state;
    calls.waits = 0;
    calls.stepping = true;
    assert_runs(f->host, PRELUDE "http.get(origin .. '/delay/0.05')");
    calls.stepping = false;
    assert_true(calls.waits > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_http_45_requests_complete_at_sixty_frames_a_second),
        TEST(test_http_45_a_run_does_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
