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

void watched_follow(void)
{
    const char *pid = getenv(pid_variable);
    if (pid == NULL)
        return;
    long command = strtol(pid, NULL, 10);
    unsetenv(pid_variable);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != (pid_t)command)
        raise(SIGTERM); /* the command ended before the call */
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
