/* SPDX-License-Identifier: MIT */
/* Asks about the terminals of the standard streams. */
#include <lauxlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lua/lib.h"
#include "op/env.h"

/* terminal_columns(descriptor): returns the width of the terminal, 80 if it does not say; nil if it
 * is none. */
static int l_terminal_columns(lua_State *L)
{
    struct winsize size = {0};
    int descriptor = (int)luaL_checkinteger(L, 1);
    if (!isatty(descriptor))
        return 0;
    (void)ioctl(descriptor, TIOCGWINSZ, &size);
    lua_pushinteger(L, size.ws_col > 1 ? size.ws_col : 80);
    return 1;
}

void spt_open_terminal(lua_State *L, struct spt_env *env)
{
    static const luaL_Reg functions[] = {{"terminal_columns", l_terminal_columns}, {NULL, NULL}};
    spt_add_functions(L, env, functions);
}
