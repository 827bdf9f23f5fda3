/* SPDX-License-Identifier: MIT */
// Makes a program do the same in each run, so that its instructions can be counted: preloaded by
// instructions.py. Its clocks move by a fixed step at each read. A wait for nothing but the clock
// moves them at once. A poll returns once the server has answered all that was sent, so that how
// many answers a turn of the loop finds does not depend on the machine's load. Random numbers, from
// which mimalloc chooses addresses and Lua the seed of its hashes, are always the same.
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#endif

enum {
    STEP_NS = 100,
    MAX_FDS = 65536,
    NAP_NS = 100000,      // between two looks at the server's answers
    PATIENCE_NAPS = 20000 // looks at answers that do not come
};

#define NS_IN_S  1000000000LL
#define NS_IN_MS 1000000LL

static long long clock_ns = 1700000000 * NS_IN_S;

// What a socket waits for.
enum { NOTHING, CONNECTION, ANSWER, READABLE };
static uint8_t waits[MAX_FDS];
static int nwaiting; // for a connection or an answer, be it there or not

// --- clocks ---

static long long read_ns(void)
{
    return __atomic_add_fetch(&clock_ns, STEP_NS, __ATOMIC_RELAXED);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    long long ns = read_ns();
    (void)id;
    t->tv_sec = (time_t)(ns / NS_IN_S);
    t->tv_nsec = (long)(ns % NS_IN_S);
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    long long ns = read_ns();
    (void)zone;
    t->tv_sec = (time_t)(ns / NS_IN_S);
    t->tv_usec = (suseconds_t)(ns % NS_IN_S / 1000);
    return 0;
}

time_t time(time_t *t)
{
    time_t s = (time_t)(read_ns() / NS_IN_S);
    if (t != NULL) {
        *t = s;
    }
    return s;
}

ssize_t getrandom(void *buffer, size_t len, unsigned flags)
{
    (void)flags;
    memset(buffer, 7, len);
    return (ssize_t)len;
}

// mimalloc's way to it.
long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long a[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_getrandom) {
        return getrandom((void *)a[0], (size_t)a[1], 0); // NOLINT(performance-no-int-to-ptr)
    }
    if (next == NULL) {
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    }
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// --- sockets ---

static void note(int fd, uint8_t what)
{
    if (fd >= 0 && fd < MAX_FDS) {
        nwaiting += (what != NOTHING) - (waits[fd] != NOTHING);
        waits[fd] = what;
    }
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    static int (*next)(int, const struct sockaddr *, socklen_t);
    if (next == NULL) {
        next = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
    }
    int rc = next(fd, address, len);
    if (rc != 0 && errno == EINPROGRESS) {
        note(fd, CONNECTION);
    }
    return rc;
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    ssize_t n = sendto(fd, data, len, flags, NULL, 0);
    if (n > 0) {
        note(fd, ANSWER);
    }
    return n;
}

// What has come since the last poll is not there yet.
ssize_t recv(int fd, void *data, size_t len, int flags)
{
    if (fd >= 0 && fd < MAX_FDS && waits[fd] == ANSWER) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t n = recvfrom(fd, data, len, flags, NULL, NULL);
    if (n >= 0 && !(flags & MSG_PEEK)) {
        note(fd, NOTHING);
    }
    return n;
}

int close(int fd)
{
    static int (*next)(int);
    if (next == NULL) {
        next = (int (*)(int))dlsym(RTLD_NEXT, "close");
    }
    note(fd, NOTHING);
    return next(fd);
}

// --- polls ---

// The order of the answers depends on the server's pace, and on how often was looked.
static int by_descriptor(const void *a, const void *b)
{
    int x = ((const struct epoll_event *)a)->data.fd, y = ((const struct epoll_event *)b)->data.fd;
    return (x > y) - (x < y);
}

static void arrange(struct epoll_event *events, int n)
{
    if (n > 1) {
        qsort(events, (size_t)n, sizeof *events, by_descriptor);
    }
    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;
        if (fd >= 0 && fd < MAX_FDS && waits[fd] != NOTHING) {
            note(fd, waits[fd] == CONNECTION ? NOTHING : READABLE);
        }
    }
}

// Waits in real time only for what a server has to send.
static int poll_events(int fd, struct epoll_event *events, int max, int ms, const sigset_t *mask)
{
    static int (*next)(int, struct epoll_event *, int, int, const sigset_t *);
    const struct timespec nap = {0, NAP_NS};
    int n = 0;

    if (next == NULL) {
        next = (int (*)(int, struct epoll_event *, int, int, const sigset_t *))dlsym(RTLD_NEXT,
                                                                                     "epoll_pwait");
    }
    if (nwaiting == 0 && ms < 0) {
        return next(fd, events, max, ms, mask);
    }
    n = next(fd, events, max, 0, mask);
    CALLGRIND_TOGGLE_COLLECT; // how long the server takes does not count
    for (int i = 0; i < PATIENCE_NAPS && n >= 0 && n < nwaiting && n < max; i++) {
        nanosleep(&nap, NULL);
        n = next(fd, events, max, 0, mask);
    }
    if (n >= 0 && n < nwaiting && n < max) {
        memset(waits, NOTHING, sizeof waits); // a server that is silent is not waited for again
        nwaiting = 0;
    }
    arrange(events, n);
    CALLGRIND_TOGGLE_COLLECT;
    if (n == 0 && ms > 0) {
        __atomic_add_fetch(&clock_ns, ms * NS_IN_MS, __ATOMIC_RELAXED);
    }
    return n;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
    return poll_events(fd, events, max, ms, NULL);
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int ms, const sigset_t *mask)
{
    return poll_events(fd, events, max, ms, mask);
}
