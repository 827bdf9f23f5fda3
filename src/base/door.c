/* SPDX-License-Identifier: MIT */
/* Waits by polling. Those inside leave after a few instructions, unless their thread is not
 * running. It may have a lower priority than the owner's, so the owner also sleeps. */
#include "base/door.h"

#include <sched.h>
#include <time.h>

#define YIELDS_MAX 100

void spt_door_close(struct spt_door *door)
{
    const struct timespec pause = {.tv_nsec = 100000};
    atomic_fetch_or_explicit(&door->word, SPT_DOOR_CLOSED, memory_order_relaxed);
    for (int n = 0; atomic_load_explicit(&door->word, memory_order_acquire) != SPT_DOOR_CLOSED;
         n++) {
        if (n < YIELDS_MAX)
            sched_yield();
        else
            nanosleep(&pause, NULL);
    }
}
