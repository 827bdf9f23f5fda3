/* SPDX-License-Identifier: MIT */
/* A program on libuv: the host uses the program's own loop, beside a timer of the program. The loop
 * runs both, without septet_run(). */
#include <septet/septet.h>

#include <stdbool.h>
#include <stdio.h>
#include <uv.h>

#define TICK_MS 5

static const char script[] = "local task = require 'septet.task'\n"
                             "task.group(function(g)\n"
                             "  for i = 1, 3 do g:spawn(task.sleep, i / 50) end\n"
                             "end)\n";

struct program {
    septet_host *host;
    uv_timer_t timer;
    int ticks;
    int errors;
};

static void on_error(void *ud, const septet_error *error)
{
    ((struct program *)ud)->errors++;
    fprintf(stderr, "%s\n%s\n", error->message, error->traceback);
}

/* Frees the host in a callback of the loop as soon as no task is alive. Its handles close in the
 * following turns, and then nothing keeps the loop running. */
static void on_tick(uv_timer_t *timer)
{
    struct program *program = timer->data;
    program->ticks++;
    if (septet_tasks(program->host) > 0)
        return;
    septet_free(program->host);
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_loop_t loop;
    struct program program = {0};
    if (uv_loop_init(&loop) != 0)
        return 1;

    septet_config config;
    septet_config_init(&config);
    config.loop = &loop;
    config.on_error = on_error;
    config.ud = &program;
    program.host = septet_new(&config, NULL);
    if (!program.host || septet_load_string(program.host, "=script", script) != SEPTET_OK)
        return 1;

    uv_timer_init(&loop, &program.timer);
    program.timer.data = &program;
    uv_timer_start(&program.timer, on_tick, TICK_MS, TICK_MS);
    uv_run(&loop, UV_RUN_DEFAULT);

    bool closed = uv_loop_close(&loop) == 0;
    printf("ticks of the program's own timer: %d\n", program.ticks);
    return closed && program.errors == 0 && program.ticks > 1 ? 0 : 1;
}
