/* SPDX-License-Identifier: MIT */
/* echo_client PORT CONNECTIONS MESSAGES SIZE: sends messages to an echo server of loopback, over
 * connections that each await the echo before the next message, and checks each echo. Prints the
 * number of messages and the wall time. Plain C on epoll. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct connection {
    int fd;
    size_t got;          /* bytes of the echo under way */
    long left;           /* messages to send */
    unsigned char first; /* byte of the message under way */
};

static size_t size;
static char message[1 << 20], echo[1 << 20];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void send_next(struct connection *c)
{
    c->got = 0;
    c->first++;
    memset(message, c->first, size);
    if (send(c->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("send");
}

/* Receives a part of an echo. Returns false when the connection has no more to send. */
static int receive(struct connection *c)
{
    ssize_t n = recv(c->fd, echo, size - c->got, 0);
    if (n <= 0)
        fail("recv");
    for (ssize_t i = 0; i < n; i++)
        if ((unsigned char)echo[i] != c->first)
            fail("the echo differs");
    c->got += (size_t)n;
    if (c->got < size)
        return 1;
    if (--c->left == 0)
        return 0;
    send_next(c);
    return 1;
}

static void open_connection(struct connection *c, int port, long messages, int epoll)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    c->left = messages;
    if (connect(c->fd, (const struct sockaddr *)&at, sizeof at) != 0)
        fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int port = atoi(argv[1]), n = atoi(argv[2]), epoll = epoll_create1(0);
    long messages = atol(argv[3]);
    size = (size_t)atol(argv[4]);
    struct connection *all = calloc((size_t)n, sizeof *all);
    struct epoll_event events[64];
    for (int i = 0; i < n; i++)
        open_connection(&all[i], port, messages, epoll);
    double begin = now();
    for (int i = 0; i < n; i++)
        send_next(&all[i]);
    for (int open = n; open > 0;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!receive(c)) {
                close(c->fd);
                open--;
            }
        }
    }
    printf("%ld messages, %.6f s\n", (long)n * messages, now() - begin);
    free(all);
    return 0;
}
