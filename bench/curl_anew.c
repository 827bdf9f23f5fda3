// What does the same GET cost in plain C, when each request registers its socket anew, as libcurl's callbacks suggest?
// The loop that most integrations write. It does what curl_kept does but for this: a socket is added to epoll when
// libcurl asks for it, and deleted when libcurl says REMOVE, which it does at the end of every request.
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
