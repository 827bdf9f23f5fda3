/* SPDX-License-Identifier: MIT */
/* echo_server N: the peer of echo.lua, plain C on libuv. Echoes what its connections send. Prints
 * its port, and ends when N connections have ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static uv_loop_t loop;
static uv_tcp_t server;
static long left; /* number of connections that have not ended */

struct connection {
    uv_tcp_t tcp;
    char bytes[64 * 1024];
};

struct rest {
    uv_write_t write;
    char bytes[];
};

static void fail(const char *what, int rc)
{
    fprintf(stderr, "echo_server: %s: %s\n", what, uv_strerror(rc));
    exit(1);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
    if (--left == 0)
        uv_close((uv_handle_t *)&server, NULL);
}

static void on_written(uv_write_t *write, int status)
{
    free(write->data);
}

/* Writes what the kernel takes, and queues a copy of the rest. */
static void echo(uv_stream_t *stream, char *bytes, size_t n)
{
    uv_buf_t buf = uv_buf_init(bytes, (unsigned)n);
    int written = uv_try_write(stream, &buf, 1);
    if (written < 0)
        written = 0;
    if ((size_t)written == n)
        return;
    size_t len = n - (size_t)written;
    struct rest *rest = malloc(sizeof *rest + len);
    memcpy(rest->bytes, bytes + written, len);
    rest->write.data = rest;
    buf = uv_buf_init(rest->bytes, (unsigned)len);
    uv_write(&rest->write, stream, &buf, 1, on_written);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *c = handle->data;
    *buf = uv_buf_init(c->bytes, sizeof c->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    if (n > 0)
        echo(stream, buf->base, (size_t)n);
    else if (n < 0)
        uv_close((uv_handle_t *)stream, on_closed);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *c = malloc(sizeof *c);
    uv_tcp_init(&loop, &c->tcp);
    c->tcp.data = c;
    int rc = uv_accept(listener, (uv_stream_t *)&c->tcp);
    if (rc != 0)
        fail("accept", rc);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at;
    int size = sizeof at;
    left = argc > 1 ? atol(argv[1]) : 1;
    uv_loop_init(&loop);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_init(&loop, &server);
    uv_tcp_bind(&server, (const struct sockaddr *)&at, 0);
    int rc = uv_listen((uv_stream_t *)&server, 511, on_connection);
    if (rc != 0)
        fail("listen", rc);
    uv_tcp_getsockname(&server, (struct sockaddr *)&at, &size);
    printf("%d\n", (at.sin_port & 0xff) << 8 | at.sin_port >> 8);
    fflush(stdout);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
