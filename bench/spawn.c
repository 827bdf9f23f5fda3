/* SPDX-License-Identifier: MIT */
/* spawn TOTAL AT_ONCE: runs "true" TOTAL times by uv_spawn(), AT_ONCE at a time, each with pipes
 * for its output that are read to their ends. The peer of process.lua: libuv alone. */
#include <stdlib.h>
#include <uv.h>

struct child {
    uv_process_t process;
    uv_pipe_t out[2];
    int open; /* handles that are not closed */
};

static uv_loop_t *loop;
static long left, ended;
static char room[65536];

static void start(struct child *child);

static void fail(const char *what, int rc)
{
    fprintf(stderr, "spawn: %s: %s\n", what, uv_strerror(rc));
    exit(1);
}

static void on_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    if (--child->open > 0)
        return;
    ended++;
    start(child);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    if (status != 0 || signal != 0)
        fail("the child failed", 0);
    uv_close((uv_handle_t *)process, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    *buf = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    if (n < 0)
        uv_close((uv_handle_t *)stream, on_closed);
}

static void start(struct child *child)
{
    char *argv[] = {"true", NULL};
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}};
    uv_process_options_t options = {
        .exit_cb = on_exit_of, .file = "true", .args = argv, .stdio_count = 3, .stdio = stdio};
    if (left == 0) {
        free(child);
        return;
    }
    left--;
    child->open = 3;
    child->process.data = child;
    for (int i = 0; i < 2; i++) {
        uv_pipe_init(loop, &child->out[i], 0);
        child->out[i].data = child;
        stdio[i + 1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
        stdio[i + 1].data.stream = (uv_stream_t *)&child->out[i];
    }
    int rc = uv_spawn(loop, &child->process, &options);
    if (rc != 0)
        fail("uv_spawn", rc);
    for (int i = 0; i < 2; i++)
        uv_read_start((uv_stream_t *)&child->out[i], on_alloc, on_read);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    left = strtol(argv[1], NULL, 10);
    loop = uv_default_loop();
    uint64_t began = uv_hrtime();
    for (long i = strtol(argv[2], NULL, 10); i > 0; i--)
        start(calloc(1, sizeof(struct child)));
    uv_run(loop, UV_RUN_DEFAULT);
    printf("%ld processes %.6f s\n", ended, (double)(uv_hrtime() - began) / 1e9);
    return 0;
}
