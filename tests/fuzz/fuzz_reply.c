/* SPDX-License-Identifier: MIT */
/* The whole client against a peer that says what the input has: as a server of HTTP/1.1, as one of
 * HTTP/2, as a proxy of HTTP, by CONNECT, and of SOCKS. A request ends with a response or an
 * HttpError, and its body is within the limit. */
#include "host.h"
#include "peer.h"

enum { MODES = 8 };

static struct fuzz_host host;
static struct peer plain, secure;

static void open_all(void)
{
    host_open(&host, "reply.lua", SEPTET_CLOCK_REAL);
    peer_listen(&plain, septet_loop(host.septet), NULL);
    peer_listen(&secure, septet_loop(host.septet), peer_tls());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char how[64];
    struct input in = {data, size};
    if (!host.septet)
        open_all();
    unsigned mode = input_below(&in, MODES);
    plain.split = secure.split = input_byte(&in);
    plain.reply = secure.reply = in;
    snprintf(how, sizeof how, "%u %d %d", mode, plain.port, secure.port);
    host_run(&host, (const uint8_t *)how, strlen(how));
    return 0;
}
