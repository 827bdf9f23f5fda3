/* SPDX-License-Identifier: MIT */
/* Gives the prompt, which is written in Lua, the functions that it needs of the process. */
#include "repl.h"

#include <lauxlib.h>
#include <septet/septet.h>
#include <stdbool.h>

#include "load.h"
#include "options.h"
#include "signals.h"
#include "terminal.h"

/* raw(on): sets the mode for typing, or the usual one. Returns true if the first succeeded. */
static int l_raw(lua_State *L)
{
    bool on = lua_toboolean(L, 1) && terminal_set_raw();
    if (!on)
        terminal_restore();
    lua_pushboolean(L, on);
    return 1;
}

/* show(sequence): what is typed is shown, and `sequence` erases it. */
static int l_show(lua_State *L)
{
    terminal_show(luaL_checkstring(L, 1));
    return 0;
}

/* is_shown(): returns true if it is shown still: nothing was printed meanwhile. */
static int l_is_shown(lua_State *L)
{
    lua_pushboolean(L, terminal_is_shown());
    return 1;
}

/* hide(): erases it if it is shown, as something is to be printed. */
static int l_hide(lua_State *L)
{
    terminal_before_output();
    return 0;
}

/* leave(): returns the number of the signal by which the prompt is to end, or nil. */
static int l_leave(lua_State *L)
{
    int number = signals_leave();
    if (number == 0)
        return 0;
    lua_pushinteger(L, number);
    return 1;
}

static const luaL_Reg functions[] = {{"raw", l_raw},   {"show", l_show},   {"is_shown", l_is_shown},
                                     {"hide", l_hide}, {"leave", l_leave}, {NULL, NULL}};

static void set_flag(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

int load_repl(lua_State *L)
{
    struct repl *repl = lua_touserdata(L, 1);
    const struct options *options = repl->options;
    bool is_terminal = terminal_is_used();
    signals_keep_going(is_terminal);
    load_private_function(L, "septet.repl.session", &repl->status);
    luaL_newlib(L, functions);
    lua_pushstring(L, septet_version());
    lua_setfield(L, -2, "version");
    set_flag(L, "is_terminal", is_terminal);
    set_flag(L, "keeps_history", !options->ignore_env);
    set_flag(L, "shows_banner", options->script >= repl->argc && !options->has_stat);
    return 4;
}

int repl_end(const struct repl *repl, int status)
{
    terminal_restore();
    signals_keep_going(false);
    return repl->status >= 0 ? repl->status : status;
}
