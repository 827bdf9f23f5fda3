/* SPDX-License-Identifier: MIT */
/* Gives the prompt, which is written in Lua, the functions that it needs of the process. */
#include "repl.h"

#include <lauxlib.h>
#include <septet/septet.h>
#include <stdbool.h>

#include "change.h"
#include "load.h"
#include "options.h"
#include "signals.h"
#include "terminal.h"
#include "terminal_signals.h"

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

/* update(sequence): replaces what erases it, unless something was printed since show(). */
static int l_update(lua_State *L)
{
    const char *sequence = luaL_checkstring(L, 1);
    if (terminal_is_shown())
        terminal_show(sequence);
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

/* leaves(): returns true if a signal ends the prompt. */
static int l_leaves(lua_State *L)
{
    lua_pushboolean(L, signals_leave_signal() != 0);
    return 1;
}

/* __close of the table: gives back the terminal, and lets signals act as in a script. It is not in
 * Lua, which cannot run after a slice that was too long. */
static int l_close(lua_State *L)
{
    lua_getfield(L, 1, "foreground");
    lua_pushnil(L);
    lua_call(L, 1, 0);
    terminal_restore();
    signals_end_prompt();
    return 0;
}

static const luaL_Reg functions[] = {
    {"raw", l_raw},   {"show", l_show},     {"update", l_update},      {"is_shown", l_is_shown},
    {"hide", l_hide}, {"leaves", l_leaves}, {"changed", change_await}, {"__close", l_close},
    {NULL, NULL}};

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
    if (is_terminal) {
        signals_begin_prompt();
        terminal_signals_catch();
    }
    load_private_function(L, "septet.repl.session", &repl->status);
    luaL_newlib(L, functions);
    lua_pushvalue(L, -1);
    lua_setmetatable(L, -2);
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
    signals_end_prompt();
    return repl->status >= 0 ? repl->status : status;
}
