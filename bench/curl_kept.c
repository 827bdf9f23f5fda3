/* SPDX-License-Identifier: MIT */
// Measures a GET in plain C, with sockets that stay registered with epoll for their whole life: the
// peer that Septet is compared with. A socket is registered when libcurl first wants it, and stays
// so while its connection is idle. So no system call is needed between two requests.
#include "curl_loop.h"

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
    struct loop *loop = userp;
    (void)easy;
    (void)socketp;

    slot_of(loop, fd)->want = what == CURL_POLL_REMOVE ? 0 : (uint8_t)what;
    if (what != CURL_POLL_REMOVE) {
        watch(loop, fd, (uint8_t)what);
    }
    return 0;
}

// A new socket under an old number: what epoll knew went with the old one.
static curl_socket_t on_open(void *userp, curlsocktype purpose, struct curl_sockaddr *a)
{
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
    (void)purpose;

    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    *slot_of(userp, fd) = (struct slot){0};
    return fd;
}

// close() takes the descriptor out of epoll.
static int on_close(void *userp, curl_socket_t fd)
{
    *slot_of(userp, fd) = (struct slot){0};
    return close(fd);
}

static void set_socket_options(struct loop *loop, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, loop);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, loop);
}
