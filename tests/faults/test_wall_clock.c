/* SPDX-License-Identifier: MIT */
/* The wall clock jumps by a year, and goes backwards each time that it is read: no deadline moves.
 * The functions of the C library that read it are replaced by ones that do so. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "support/host_fixture.h"

#define YEAR (366 * 24 * 3600)

static struct {
    bool jumps;
    long reads; /* number of times that the wall clock was read while it jumps */
} wall;

/* Changes what was read of the wall clock: a year later and earlier by turns, and back by a second
 * more each time. */
static time_t jump(time_t seconds)
{
    if (!wall.jumps)
        return seconds;
    wall.reads++;
    return seconds + (wall.reads % 2 ? YEAR : -YEAR) - wall.reads;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, id, now);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec = jump(now->tv_sec);
    return rc;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec read;
    clock_gettime(CLOCK_REALTIME, &read);
    now->tv_sec = read.tv_sec;
    now->tv_usec = read.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds)
{
    struct timespec read;
    clock_gettime(CLOCK_REALTIME, &read);
    if (seconds)
        *seconds = read.tv_sec;
    return read.tv_sec;
}

/* Sleeps that never return early, timeouts that do not expire before their time, and requests whose
 * limits are not reached. */
static const char script[] =
    PRELUDE "local from = task.now()\n"
            "for n = 1, 5 do os.time() task.sleep(0.01) end\n"
            "assert(task.now() - from >= 0.05)\n"
            "task.timeout(1000, function() for n = 1, 5 do os.time() task.sleep(0.01) end end)\n"
            "local late = task.now()\n"
            "assert(task.move_on_after(0.02, task.sleep, 1000) == false)\n"
            "assert(task.now() - late >= 0.02)\n"
            "local session <close> = http.session { timeout = 600, cookies = true }\n"
            "for n = 1, 3 do\n"
            "  os.time()\n"
            "  assert(session:get(origin .. '/bytes/1000').body:len() == 1000)\n"
            "end\n"
            "local ticks = 0\n"
            "for n in task.every(0.01) do\n"
            "  os.time()\n"
            "  ticks = ticks + 1\n"
            "  if ticks == 3 then break end\n"
            "end\n";

static void test_fault_59_the_wall_clock_jumps(void **state)
{
    struct reports reports;
    septet_host *host = new_host(&reports);
    set_origin(septet_lua(host));
    wall.jumps = true;
    int rc = run_script(host, script);
    wall.jumps = false;
    assert_string_equal(reports.message, "");
    assert_int_equal(rc, SEPTET_OK);
    assert_true(wall.reads > 10);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fault_59_the_wall_clock_jumps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
