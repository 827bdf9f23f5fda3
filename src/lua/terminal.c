/* SPDX-License-Identifier: MIT */
/* Asks about the terminals of the standard streams. */
#include <lauxlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lua/lib.h"
#include "op/env.h"

/* terminal_size(descriptor): returns the columns and the rows of the terminal, 80 and 24 if it does
 * not say; nil if it is none. */
static int l_terminal_size(lua_State *L)
{
    struct winsize size = {0};
    int descriptor = (int)luaL_checkinteger(L, 1);
    if (!isatty(descriptor))
        return 0;
    (void)ioctl(descriptor, TIOCGWINSZ, &size);
    lua_pushinteger(L, size.ws_col > 1 ? size.ws_col : 80);
    lua_pushinteger(L, size.ws_row > 1 ? size.ws_row : 24);
    return 2;
}

void spt_open_terminal(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"terminal_size", l_terminal_size}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
}
