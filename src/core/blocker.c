/* SPDX-License-Identifier: MIT */
/* Walks the stack down from the function that waits. */
#include "core/blocker.h"

#include <stdbool.h>
#include <string.h>

#include "core/function_names.h"

/* Returns true for the name of a C function that may be suspended, and for `error`, which only
 * calls a message handler. Names suffice, as they only choose the words of a message. */
static bool is_suspendable(const char *name)
{
    static const char *const names[] = {"pcall", "xpcall",           "dofile", "error",
                                        "with",  "coroutine.resume", "try",    "try_unwinding"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

void spt_blocker_push(lua_State *L, lua_State *co)
{
    lua_Debug ar;
    for (int level = 1; lua_getstack(co, level, &ar); level++) {
        lua_getinfo(co, "Sn", &ar);
        if (strcmp(ar.namewhat, "metamethod") == 0 && ar.name && strcmp(ar.name, "__gc") == 0) {
            lua_pushliteral(L, "a finalizer");
            return;
        }
        if (strcmp(ar.namewhat, "hook") == 0) {
            lua_pushliteral(L, "a hook");
            return;
        }
        if (*ar.what != 'C')
            continue;
        /* of the iterators in C, only that of ipairs calls a script */
        if (strcmp(ar.namewhat, "for iterator") == 0) {
            lua_pushliteral(L, "'ipairs', whose __index waits");
            return;
        }
        const char *name = spt_function_names_push_function(L, co, &ar);
        if (name && !is_suspendable(name)) {
            lua_pushfstring(L, "'%s'", name);
            return;
        }
    }
    lua_pushliteral(L, "a message handler or a C function");
}
