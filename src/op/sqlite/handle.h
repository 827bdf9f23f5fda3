/* SPDX-License-Identifier: MIT */
/* An open database as Lua has it. */
#ifndef SPT_OP_SQLITE_HANDLE_H
#define SPT_OP_SQLITE_HANDLE_H

#include <lua.h>

#include "sqlite/database.h"

#define SPT_SQLITE_HANDLE_META "septet.sqlite.database"

struct spt_sqlite_home;

/* The userdata. It may end before its database does. */
struct spt_sqlite_handle {
    struct spt_sqlite *db; /* NULL once it is closed */
    struct spt_sqlite_home *home;
    const char *path; /* kept alive by the user value */
};

/* Pushes nil, a word and a description. Raises out of memory if that is what failed. */
int spt_sqlite_handle_push_fault(lua_State *L, const struct spt_sqlite_fault *fault);

#endif
