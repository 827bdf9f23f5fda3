/* SPDX-License-Identifier: MIT */
/* A program that polls descriptors itself: it waits with poll() for the host and for a pipe of its
 * own. The host says what to poll and for how long. */
#include <septet/septet.h>

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static const char script[] = "local task = require 'septet.task'\n"
                             "for n = 1, 3 do\n"
                             "  task.sleep(0.01)\n"
                             "  tick(n)\n"
                             "end\n";

struct program {
    int pipe[2];
    int ticks; /* bytes that have come through the pipe */
    int errors;
};

/* tick(n): writes a byte to the program's pipe. */
static int l_tick(lua_State *L)
{
    const struct program *program = septet_userdata(septet_host_of(L));
    char byte = (char)lua_tointeger(L, 1);
    if (write(program->pipe[1], &byte, 1) != 1)
        return septet_raise(L, "PipeError", "cannot write to the pipe");
    return 0;
}

static void on_error(void *ud, const septet_error *error)
{
    ((struct program *)ud)->errors++;
    fprintf(stderr, "%s\n%s\n", error->message, error->traceback);
}

static void read_pipe(struct program *program)
{
    char byte;
    if (read(program->pipe[0], &byte, 1) == 1) {
        program->ticks++;
        printf("tick %d\n", byte);
    }
}

/* Runs the loop until no task is alive. */
static void run(septet_host *host, struct program *program)
{
    while (septet_step(host, 1000) != SEPTET_DONE) {
        septet_wait wait;
        if (septet_next(host, &wait) != SEPTET_OK)
            return;
        struct pollfd polled[] = {{.fd = program->pipe[0], .events = POLLIN},
                                  {.fd = wait.fd, .events = POLLIN}};
        if (poll(polled, 2, wait.timeout_ms) < 0)
            return;
        if (polled[0].revents & POLLIN)
            read_pipe(program);
    }
    while (program->errors == 0 && program->ticks < 3)
        read_pipe(program);
}

int main(void)
{
    struct program program = {0};
    septet_config config;
    if (pipe(program.pipe) != 0)
        return 1;
    septet_config_init(&config);
    config.on_error = on_error;
    config.ud = &program;
    septet_host *host = septet_new(&config, NULL);
    if (!host)
        return 1;
    lua_register(septet_lua(host), "tick", l_tick);
    if (septet_load_string(host, "=script", script) == SEPTET_OK)
        run(host, &program);
    septet_free(host);
    return program.errors == 0 && program.ticks == 3 ? 0 : 1;
}
