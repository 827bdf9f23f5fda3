/* SPDX-License-Identifier: MIT */
/* Measures the frames of an engine: what a step costs the thread, beside its budget.
 *
 *     bench_frame SCRIPT URL FRAMES BUDGET_US PERIOD_US
 *
 * Runs bench/frame.lua one step a frame, and then steps of the idle host. Prints a line of figures
 * for each. The longest turn of a task is taken from the trace, which costs the step nothing more.
 * Both that and the collector's longest step are wall-clock time: frames in which another process
 * had the CPU do not count for the former. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lua.h>

#include "core/sched.h"
#include "septet/septet.h"

#define IDLE_STEPS   200000
#define PREEMPTED_NS 50000 /* wall-clock time beyond the CPU's, in a frame that was interrupted */

struct frames {
    long n, budget_us, period_us;
    uint64_t *cpu_ns; /* of each step */
    uint64_t longest_turn_ns;
    uint64_t cursor; /* in the trace */
    int errors;
};

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void on_error(void *ud, const septet_error *error)
{
    ((struct frames *)ud)->errors++;
    fprintf(stderr, "%s\n", error->message);
}

/* Returns the longest turn of a task since the last call. */
static uint64_t read_longest_turn(septet_host *host, struct frames *f)
{
    const struct spt_trace *trace = &spt_sched_of(septet_lua(host))->trace;
    struct spt_event event;
    uint64_t lost = 0, longest_ns = 0;
    while (spt_trace_read(trace, &f->cursor, &event, &lost))
        if (event.rec.kind == SPT_REC_RUN && event.rec.b > longest_ns)
            longest_ns = event.rec.b;
    return longest_ns;
}

static int run_frame(septet_host *host, struct frames *f, uint64_t *cpu_ns)
{
    uint64_t wall_ns = read_clock(CLOCK_MONOTONIC), t0_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
    int rc = septet_step(host, (uint64_t)f->budget_us);
    *cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID) - t0_ns;
    wall_ns = read_clock(CLOCK_MONOTONIC) - wall_ns;
    uint64_t turn_ns = read_longest_turn(host, f);
    if (wall_ns < *cpu_ns + PREEMPTED_NS && turn_ns > f->longest_turn_ns)
        f->longest_turn_ns = turn_ns;
    return rc;
}

static void sleep_until(uint64_t at_ns)
{
    struct timespec t = {(time_t)(at_ns / 1000000000), (long)(at_ns % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double us_at(const struct frames *f, double part)
{
    long i = (long)((double)f->n * part);
    return (double)f->cpu_ns[i < f->n ? i : f->n - 1] / 1e3;
}

static long global(septet_host *host, const char *name)
{
    lua_State *L = septet_lua(host);
    lua_getglobal(L, name);
    long value = (long)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

static int run_frames(septet_host *host, struct frames *f)
{
    septet_stats stats = {.size = sizeof stats};
    uint64_t next_ns = read_clock(CLOCK_MONOTONIC);
    for (long i = 0; i < f->n; i++) {
        if (run_frame(host, f, &f->cpu_ns[i]) <= 0 || f->errors)
            return 1;
        next_ns += (uint64_t)f->period_us * 1000;
        sleep_until(next_ns);
    }
    septet_get_stats(host, &stats);
    qsort(f->cpu_ns, (size_t)f->n, sizeof *f->cpu_ns, compare);
    printf("frames %ld p50 %.1f p99 %.1f p99.9 %.1f max %.1f turn %.1f collector %.1f us"
           " tasks %llu requests %ld mib %ld\n",
           f->n, us_at(f, 0.5), us_at(f, 0.99), us_at(f, 0.999), us_at(f, 1),
           (double)f->longest_turn_ns / 1e3, (double)stats.collector_max_ns / 1e3,
           (unsigned long long)stats.tasks, global(host, "requests"), global(host, "mib"));
    return 0;
}

/* A thousand tasks that sleep for long. */
static int run_idle(septet_host *host)
{
    septet_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    septet_load_string(host, "=idle",
                       "local task = require 'septet.task' for _ = 1, 1000 do"
                       " task.background(task.sleep, 1e6) end task.sleep(1e6)");
    while (septet_step(host, 100000) == SEPTET_MORE)
        ;
    septet_step(host, 1000000);
    septet_get_stats(host, &before);
    uint64_t t0_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < IDLE_STEPS; i++)
        septet_step(host, 2000);
    double ns = (double)(read_clock(CLOCK_THREAD_CPUTIME_ID) - t0_ns) / IDLE_STEPS;
    septet_get_stats(host, &after);
    printf("idle %.1f ns polls %llu\n", ns, (unsigned long long)(after.polls - before.polls));
    return 0;
}

static septet_host *new_host(struct frames *f)
{
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error;
    config.ud = f;
    return septet_new(&config, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    struct frames f = {.n = atol(argv[3]), .budget_us = atol(argv[4]), .period_us = atol(argv[5])};
    f.cpu_ns = calloc((size_t)f.n, sizeof *f.cpu_ns);
    septet_host *host = new_host(&f), *idle = new_host(&f);
    if (!f.cpu_ns || !host || !idle)
        return 1;
    lua_pushstring(septet_lua(host), argv[2]);
    lua_setglobal(septet_lua(host), "url");
    int rc = septet_load_file(host, argv[1]) || run_frames(host, &f) || run_idle(idle);
    septet_free(idle);
    septet_free(host);
    free(f.cpu_ns);
    return rc;
}
