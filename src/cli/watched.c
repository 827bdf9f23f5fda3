/* SPDX-License-Identifier: MIT */
/* The file with the reports is named by an environment variable. Lua code writes them. */
#include "watched.h"

#include <lua.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "load.h"

static const char variable[] = "SEPTET_WATCH_LOG";

static char *reports; /* the file; NULL if no command watches */

void watched_take(void)
{
    const char *path = getenv(variable);
    if (path == NULL)
        return;
    reports = strdup(path);
    unsetenv(variable);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
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
