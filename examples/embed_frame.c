/* SPDX-License-Identifier: MIT */
/* A game's frame loop at 60 frames a second, which gives scripts up to two milliseconds of each. A
 * thousand tasks tween, compute and fetch meanwhile; none of them delays a frame.
 *
 *     embed_frame [URL]    the URL to fetch; $SEPTET_ORIGIN without one; or nothing is fetched */
#include <septet/septet.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FRAME_NS       16666667 /* duration of a frame */
#define BUDGET_US      2000     /* part of it for scripts */
#define FRAMES_AT_MOST 10000

static const char script[] =
    "local task, http = require 'septet.task', require 'septet.http'\n"
    "local tweened, computed, fetched = 0, 0, 0\n"
    "\n"
    "local function tween(seconds)              -- moves something a little each frame\n"
    "  local from = task.now()\n"
    "  while task.now() - from < seconds do task.sleep(1 / 60) end\n"
    "  tweened = tweened + 1\n"
    "end\n"
    "\n"
    "local function compute(slices)             -- a path, an AI: a slice at a time\n"
    "  local sum = 0\n"
    "  for _ = 1, slices do\n"
    "    for n = 1, 1000 do sum = sum + n % 7 end\n"
    "    task.checkpoint()\n"
    "  end\n"
    "  computed = computed + 1\n"
    "end\n"
    "\n"
    "local function fetch(n)\n"
    "  http.get(url .. '?' .. n):raise_for_status()\n"
    "  fetched = fetched + 1\n"
    "end\n"
    "\n"
    "task.group(function(g)\n"
    "  for n = 1, 800 do g:spawn(tween, 0.1 + n % 10 / 20) end\n"
    "  for n = 1, 100 do g:spawn(compute, 20) end\n"
    "  for n = 1, url and 100 or 0 do g:spawn(fetch, n) end\n"
    "end)\n"
    "assert(tweened == 800 and computed == 100 and fetched == (url and 100 or 0))\n"
    "print(('tweened %d, computed %d, fetched %d'):format(tweened, computed, fetched))\n";

/* Waits for the rest of the frame, which began at `began`. A game draws here. */
static void draw(const struct timespec *began)
{
    struct timespec ends = *began;
    ends.tv_nsec += FRAME_NS;
    if (ends.tv_nsec >= 1000000000) {
        ends.tv_sec++;
        ends.tv_nsec -= 1000000000;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ends, NULL);
}

static void on_error(void *ud, const septet_error *error)
{
    int *errors = ud;
    ++*errors;
    fprintf(stderr, "%s\n%s\n", error->message, error->traceback);
}

/* Gives scripts the URL as the global `url`. */
static void set_url(lua_State *L, const char *url)
{
    char full[1024];
    if (!url && getenv("SEPTET_ORIGIN")) {
        snprintf(full, sizeof full, "%s/bytes/1000", getenv("SEPTET_ORIGIN"));
        url = full;
    }
    lua_pushstring(L, url);
    lua_setglobal(L, "url");
}

int main(int argc, char **argv)
{
    int errors = 0, frames = 0;
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error;
    config.ud = &errors;
    config.limits.bytes_per_turn = 256 * 1024; /* read and decoded in one turn of the host's loop */
    septet_host *host = septet_new(&config, NULL);
    if (!host)
        return 1;
    set_url(septet_lua(host), argv[1]);
    if (septet_load_string(host, "=script", script) != SEPTET_OK)
        frames = FRAMES_AT_MOST;

    for (; frames < FRAMES_AT_MOST; frames++) {
        struct timespec began;
        clock_gettime(CLOCK_MONOTONIC, &began);
        if (septet_step(host, BUDGET_US) == SEPTET_DONE)
            break;
        draw(&began);
    }

    printf("frames: %d\n", frames);
    septet_free(host);
    return errors == 0 && frames < FRAMES_AT_MOST ? 0 : 1;
}
