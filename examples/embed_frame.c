/* SPDX-License-Identifier: MIT */
/* A game's frame loop, which owns the thread and gives scripts up to two milliseconds of each
 * frame. A waiting script never delays a frame. */
#include <septet/septet.h>

#include <stdio.h>
#include <time.h>

#define FRAME_NS       4000000 /* duration of a frame */
#define BUDGET_US      2000    /* part of it for scripts */
#define FRAMES_AT_MOST 10000

static int frame;

static const char script[] = "local task = require 'septet.task'\n"
                             "local before = frame()\n"
                             "task.sleep(0.05)\n"
                             "local during = frame() - before\n"
                             "assert(during > 1, 'no frame was drawn while the script slept')\n"
                             "print('frames drawn while the script slept: ' .. during)\n";

/* frame(): returns the number of the current frame. */
static int l_frame(lua_State *L)
{
    lua_pushinteger(L, frame);
    return 1;
}

static void draw(void)
{
    const struct timespec shown = {.tv_nsec = FRAME_NS};
    nanosleep(&shown, NULL);
}

static void on_error(void *ud, const septet_error *error)
{
    int *errors = ud;
    ++*errors;
    fprintf(stderr, "%s\n%s\n", error->message, error->traceback);
}

int main(void)
{
    int errors = 0;
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error;
    config.ud = &errors;
    septet_host *host = septet_new(&config, NULL);
    if (!host)
        return 1;
    lua_register(septet_lua(host), "frame", l_frame);
    if (septet_load_string(host, "=script", script) != SEPTET_OK)
        frame = FRAMES_AT_MOST;

    /* septet_step() returns 0, SEPTET_DONE, once no task is alive. */
    while (frame < FRAMES_AT_MOST && septet_step(host, BUDGET_US) > 0) {
        frame++;
        draw();
    }

    septet_free(host);
    return errors == 0 && frame < FRAMES_AT_MOST ? 0 : 1;
}
