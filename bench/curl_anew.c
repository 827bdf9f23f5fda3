/* SPDX-License-Identifier: MIT */
// Measures a GET in plain C, with a socket that is registered anew for each request, as libcurl's
// callbacks suggest and most integrations do. Like curl_kept, but adds a socket to epoll when
// libcurl asks for it, and deletes it when libcurl says REMOVE, at the end of every request.
#include "curl_loop.h"

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
    struct loop *loop = userp;
    uint8_t mask = what == CURL_POLL_REMOVE ? 0 : (uint8_t)what;
    (void)easy;
    (void)socketp;

    slot_of(loop, fd)->want = mask;
    watch(loop, fd, mask);
    return 0;
}

static void set_socket_options(struct loop *loop, CURL *easy)
{
    (void)loop;
    (void)easy;
}
