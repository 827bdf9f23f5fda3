/* SPDX-License-Identifier: MIT */
/* Keeps a list of the processes under a lock, also while one is reaped: the system gives its number
 * to another process afterwards. */
#include "loop/child_exit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct spt_link running = {&running, &running};
static pid_t owner; /* the process that has them; 0: on_exit is not registered */

/* Does nothing in a process that the program has forked, because it has none of them. */
static void at_exit(void)
{
    if (owner != getpid() || pthread_mutex_trylock(&lock) != 0)
        return;
    for (const struct spt_link *l = running.next; l != &running; l = l->next) {
        const struct spt_child_exit *child = SPT_OF(l, struct spt_child_exit, link);
        kill(child->group ? -child->pid : child->pid, SIGTERM);
    }
    pthread_mutex_unlock(&lock);
}

void spt_child_exit_add(struct spt_child_exit *child, pid_t pid, bool group)
{
    child->pid = pid;
    child->group = group;
    spt_link_init(&child->link);
    pthread_mutex_lock(&lock);
    if (owner == 0)
        atexit(at_exit);
    owner = getpid();
    spt_list_push(&running, &child->link);
    pthread_mutex_unlock(&lock);
}

pid_t spt_child_exit_reap(struct spt_child_exit *child, int *status)
{
    pid_t pid;
    pthread_mutex_lock(&lock);
    do
        pid = waitpid(child->pid, status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (pid != 0)
        spt_link_remove(&child->link);
    pthread_mutex_unlock(&lock);
    return pid;
}

void spt_child_exit_remove(struct spt_child_exit *child)
{
    pthread_mutex_lock(&lock);
    spt_link_remove(&child->link);
    pthread_mutex_unlock(&lock);
}
