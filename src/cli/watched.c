/* SPDX-License-Identifier: MIT */
/* Environment variables name the file with the reports, which Lua code writes, and the process of
 * the command. */
#include "watched.h"

#include <lua.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load.h"

static const char log_variable[] = "SEPTET_WATCH_LOG", pid_variable[] = "SEPTET_WATCH_PID";

static char *reports; /* the file; NULL if no command watches */

/* Passes the death of the command on as one SIGTERM, since a second one would kill the script. The
 * kernel reports it once for each thread of the command that takes over this process as it dies. */
static void on_command_death(int number)
{
    static volatile sig_atomic_t passed_on;
    if (!passed_on) {
        passed_on = true;
        kill(getpid(), SIGTERM);
    }
}

void watched_follow(void)
{
    const char *pid = getenv(pid_variable);
    if (pid == NULL)
        return;
    long command = strtol(pid, NULL, 10);
    unsetenv(pid_variable);
    struct sigaction action = {.sa_handler = on_command_death, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGRTMIN, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGRTMIN);
    if (getppid() != (pid_t)command)
        raise(SIGRTMIN); /* the command ended before the call */
}

void watched_take(void)
{
    const char *path = getenv(log_variable);
    if (path == NULL)
        return;
    reports = strdup(path);
    unsetenv(log_variable);
}

bool watched_is(void)
{
    return reports != NULL;
}

void watched_begin(lua_State *L)
{
    if (reports == NULL)
        return;
    load_private(L, "septet.command.watched", "begin");
    lua_pushstring(L, reports);
    lua_pushglobaltable(L);
    lua_call(L, 2, 0);
}
