/* SPDX-License-Identifier: MIT */
// A plain C loop on libcurl's multi-socket interface and epoll: N GETs of one URL, some of them at
// once. It knows transfers, bodies and timeouts. The including file registers sockets with epoll.
#ifndef BENCH_CURL_LOOP_H
#define BENCH_CURL_LOOP_H

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 65536, MAX_EVENTS = 256 };

// One transfer at a time; the handle and the body's memory serve again and again.
struct request {
    CURL *easy;
    char *body; // owned, grows and never shrinks
    size_t len; // bytes
    size_t cap; // bytes
};

// The events that libcurl wants of a descriptor, and those in epoll, as CURL_POLL_* (0: none).
struct slot {
    uint8_t want;
    uint8_t armed;
};

struct loop {
    CURLM *multi;
    const char *url;
    const char *ca_file; // of the certificate that is trusted; NULL: that of the system
    long http_version;   // as CURL_HTTP_VERSION_*
    int epoll;
    bool kick;       // libcurl asked to be run at once
    double due;      // s, when libcurl wants to be run; 0: never
    long to_start;   // requests
    long unfinished; // requests
    size_t body_len; // bytes, of the first response; every other must agree
    double received; // bytes, of all bodies
    struct slot slots[MAX_FDS];
};

// The two things an including file decides. libcurl's socket callback (userp is the loop):
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp);
// and the options that a transfer needs for it.
static void set_socket_options(struct loop *loop, CURL *easy);

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

// CPU of the whole process so far, user and system, in seconds.
static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

// --- sockets ---

static struct slot *slot_of(struct loop *loop, int fd)
{
    if (fd < 0 || fd >= MAX_FDS) {
        die("socket", "descriptor out of range");
    }
    return &loop->slots[fd];
}

// Makes epoll watch `fd` for `mask`; 0 forgets it. A system call only where the mask differs.
static void watch(struct loop *loop, int fd, uint8_t mask)
{
    struct slot *s = slot_of(loop, fd);
    struct epoll_event ev = {.data.fd = fd};
    int op = mask == 0 ? EPOLL_CTL_DEL : s->armed == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (s->armed == mask) {
        return;
    }
    ev.events = (mask & CURL_POLL_IN ? EPOLLIN : 0U) | (mask & CURL_POLL_OUT ? EPOLLOUT : 0U);
    if (epoll_ctl(loop->epoll, op, fd, &ev) != 0) {
        die("epoll_ctl", strerror(errno));
    }
    s->armed = mask;
}

static void on_event(struct loop *loop, const struct epoll_event *ev)
{
    int fd = ev->data.fd;
    int bits = (ev->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (ev->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (ev->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    int running;

    if (slot_of(loop, fd)->want == 0) {
        // An idle connection spoke: the server closes it. libcurl looks before it uses it again.
        watch(loop, fd, 0);
        return;
    }
    curl_multi_socket_action(loop->multi, fd, bits, &running);
}

// --- one request ---

static size_t on_body(char *data, size_t size, size_t n, void *userp)
{
    struct request *r = userp;
    size_t len = size * n;

    if (r->len + len > r->cap) {
        size_t cap = r->cap * 2 > r->len + len ? r->cap * 2 : r->len + len;
        char *body = realloc(r->body, cap);
        if (body == NULL) {
            return 0;
        }
        r->body = body;
        r->cap = cap;
    }
    memcpy(r->body + r->len, data, len);
    r->len += len;
    return len;
}

static void request_start(struct loop *loop, struct request *r)
{
    r->len = 0;
    curl_easy_reset(r->easy);
    curl_easy_setopt(r->easy, CURLOPT_URL, loop->url);
    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
    // The request that Septet sends, header for header: libcurl's cost grows with its bytes.
    curl_easy_setopt(r->easy, CURLOPT_USERAGENT, "septet/0.1.0");
    curl_easy_setopt(r->easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(r->easy, CURLOPT_PROXY, ""); // whatever the environment says
    curl_easy_setopt(r->easy, CURLOPT_HTTP_VERSION, loop->http_version);
    curl_easy_setopt(r->easy, CURLOPT_PIPEWAIT,
                     loop->http_version == CURL_HTTP_VERSION_1_1 ? 0L : 1L);
    if (loop->ca_file != NULL) {
        curl_easy_setopt(r->easy, CURLOPT_CAINFO, loop->ca_file);
    }
    set_socket_options(loop, r->easy);
    if (curl_multi_add_handle(loop->multi, r->easy) != CURLM_OK) {
        die("curl_multi_add_handle", "refused");
    }
    loop->to_start--;
}

// The caller gets a body of its own, as it would from a library.
static void hand_over(struct loop *loop, const struct request *r)
{
    char *body = malloc(r->len + 1);

    if (body == NULL) {
        die("body", strerror(errno));
    }
    memcpy(body, r->body, r->len);
    body[r->len] = '\0';
    if (loop->body_len == 0) {
        loop->body_len = r->len;
    }
    if (r->len != loop->body_len) {
        die(loop->url, "bodies of different lengths");
    }
    loop->received += (double)r->len;
    free(body);
}

static void request_done(struct loop *loop, CURL *easy, CURLcode result)
{
    struct request *r;
    long status = 0;

    if (result != CURLE_OK) {
        die(loop->url, curl_easy_strerror(result));
    }
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(loop->multi, easy);
    if (status != 200) {
        die(loop->url, "the status is not 200");
    }
    hand_over(loop, r);
    loop->unfinished--;
    if (loop->to_start > 0) {
        request_start(loop, r);
    }
}

// --- the loop ---

// libcurl must not be entered from here: this only takes note.
static int on_timeout(CURLM *multi, long ms, void *userp)
{
    struct loop *loop = userp;
    (void)multi;

    loop->kick = loop->kick || ms == 0;
    loop->due = ms > 0 ? now_s() + (double)ms / 1e3 : 0;
    return 0;
}

static void drain_messages(struct loop *loop)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(loop->multi, &left)) != NULL) {
        if (msg->msg == CURLMSG_DONE) {
            request_done(loop, msg->easy_handle, msg->data.result);
        }
    }
}

// Ends what has ended and starts what comes next, all the adds with one kick, until nothing is new.
static void settle(struct loop *loop)
{
    int running;

    drain_messages(loop);
    while (loop->kick) {
        loop->kick = false;
        curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        drain_messages(loop);
    }
}

// How long epoll may wait: until libcurl's own deadline, rounded up.
static int wait_ms(const struct loop *loop)
{
    double left;

    if (loop->due == 0) {
        return -1;
    }
    left = (loop->due - now_s()) * 1e3;
    return left <= 0 ? 0 : (int)left + 1;
}

static void turn(struct loop *loop)
{
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(loop->epoll, events, MAX_EVENTS, wait_ms(loop));

    if (n < 0 && errno != EINTR) {
        die("epoll_wait", strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        on_event(loop, &events[i]);
    }
    if (loop->due > 0 && now_s() >= loop->due) {
        loop->due = 0;
        loop->kick = true;
    }
    settle(loop);
}

static void loop_init(struct loop *loop, const char *url, long n, long concurrency)
{
    curl_global_init(CURL_GLOBAL_ALL);
    loop->url = url;
    loop->to_start = n;
    loop->unfinished = n;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->multi = curl_multi_init();
    if (loop->epoll < 0 || loop->multi == NULL) {
        die("loop", "cannot be made");
    }
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, concurrency > 256 ? concurrency : 256L);
}

static void run_requests(struct loop *loop, long concurrency)
{
    struct request *pool = calloc((size_t)concurrency, sizeof *pool);

    for (long i = 0; i < concurrency && loop->to_start > 0; i++) {
        pool[i].easy = curl_easy_init();
        if (pool[i].easy == NULL) {
            die("curl_easy_init", "failed");
        }
        request_start(loop, &pool[i]);
    }
    settle(loop);
    while (loop->unfinished > 0) {
        turn(loop);
    }
    for (long i = 0; i < concurrency; i++) {
        curl_easy_cleanup(pool[i].easy);
        free(pool[i].body);
    }
    free(pool);
}

// `NAME URL N CONCURRENCY [CA_FILE [h2]]`: does the requests and prints the line that bench/http.py
// reads.
int main(int argc, char **argv)
{
    static struct loop loop;
    long n = argc >= 4 ? atol(argv[2]) : 0;
    long concurrency = argc >= 4 ? atol(argv[3]) : 0;
    double t0 = now_s();

    if (n < 1 || concurrency < 1) {
        fprintf(stderr, "usage: %s URL N CONCURRENCY [CA_FILE [h2]]\n", argv[0]);
        return 2;
    }
    loop.ca_file = argc > 4 ? argv[4] : NULL;
    loop.http_version = argc > 5 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    loop_init(&loop, argv[1], n, concurrency);
    run_requests(&loop, concurrency);
    printf("%ld requests, %.0f bytes, %.3f us of CPU each, %.3f s\n", n, loop.received,
           cpu_s() / (double)n * 1e6, now_s() - t0);
    curl_multi_cleanup(loop.multi);
    close(loop.epoll);
    curl_global_cleanup();
    return 0;
}

#endif
