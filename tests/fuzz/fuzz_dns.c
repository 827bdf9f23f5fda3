/* SPDX-License-Identifier: MIT */
/* DNS answers: the client asks a server on its own loop for a name, which answers with the input
 * behind the question. The request ends with an HttpError, and never gets to an address that its
 * rules deny. */
#include "host.h"

#include <netinet/in.h>
#include <uv.h>

enum { HEAD = 12, ID = 2, ASKED_MAX = 512 };

static struct fuzz_host host;
static uv_udp_t server;
static int port;
static struct input answer; /* flags and counts, then what follows the question */

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[ASKED_MAX];
    *buf = uv_buf_init(bytes, sizeof bytes);
}

/* Returns the bytes of the question behind the head of a query. */
static size_t question_of(const uint8_t *query, size_t n)
{
    size_t i = HEAD;
    while (i < n && query[i] != 0)
        i += query[i] + 1u;
    return i + 5 <= n ? i + 5 - HEAD : 0;
}

static void on_query(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                     unsigned flags)
{
    uint8_t said[4096] = {0};
    const uint8_t *query = (const uint8_t *)buf->base;
    if (n < HEAD || !from)
        return;
    struct input in = answer;
    size_t question = question_of(query, (size_t)n), len = HEAD;
    memcpy(said, query, ID);
    for (size_t i = ID; i < HEAD; i++)
        said[i] = input_byte(&in);
    memcpy(said + len, query + HEAD, question);
    len += question;
    size_t rest = in.len < sizeof said - len ? in.len : sizeof said - len;
    memcpy(said + len, in.data, rest);
    uv_buf_t out = uv_buf_init((char *)said, (unsigned)(len + rest));
    uv_udp_try_send(udp, &out, 1, from);
}

static void open_all(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int n = sizeof address;
    host_open(&host, "dns.lua", SEPTET_CLOCK_REAL);
    uv_udp_init(septet_loop(host.septet), &server);
    CHECK(uv_udp_bind(&server, (const struct sockaddr *)&address, 0) == 0);
    CHECK(uv_udp_recv_start(&server, allocate, on_query) == 0);
    CHECK(uv_udp_getsockname(&server, (struct sockaddr *)&address, &n) == 0);
    port = ntohs(address.sin_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char how[16];
    if (!host.septet)
        open_all();
    answer = (struct input){data, size};
    snprintf(how, sizeof how, "%d", port);
    host_run(&host, (const uint8_t *)how, strlen(how));
    answer = (struct input){0};
    return 0;
}
