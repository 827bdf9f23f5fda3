/* SPDX-License-Identifier: MIT */
/* Puts the pieces of a warning together on standard error. */
#include "warnings.h"

#include <stdio.h>
#include <string.h>

#include "terminal.h"

/* Prints Lua's own warnings, which arrive in pieces, with control messages. */
static void on_warning(void *ud, const char *piece, int to_continue)
{
    struct warnings *warnings = ud;
    if (!warnings->open && !to_continue && *piece == '@') {
        if (strcmp(piece, "@on") == 0 || strcmp(piece, "@off") == 0)
            warnings->on = piece[2] == 'n';
        return;
    }
    if (warnings->on && !warnings->open)
        terminal_before_output();
    if (warnings->on)
        fprintf(stderr, "%s%s%s", warnings->open ? "" : "septet: warning: ", piece,
                to_continue ? "" : "\n");
    warnings->open = to_continue;
}

void warnings_receive(lua_State *L, struct warnings *warnings)
{
    lua_setwarnf(L, on_warning, warnings);
}
