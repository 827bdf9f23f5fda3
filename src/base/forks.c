/* SPDX-License-Identifier: MIT */
/* Counts in a handler that fork() calls in the child, where no other thread runs. */
#include "base/forks.h"

#include <pthread.h>

static unsigned forks; /* since the first call of spt_forks_watch(), in this process's ancestors */

static void on_fork(void)
{
    forks++;
}

static void watch(void)
{
    pthread_atfork(NULL, NULL, on_fork);
}

void spt_forks_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
}

unsigned spt_forks_count(void)
{
    return forks;
}
