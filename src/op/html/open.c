/* SPDX-License-Identifier: MIT */
/* Opens the parts in op/html/ when a script first asks for them: most scripts read no markup, and
 * each type costs at the start of a host. */
#include "op/env.h"
#include "op/html/openers.h"
#include "op/openers.h"

/* html(): returns a table with the functions of op/html/. */
static int l_html(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    lua_newtable(L);
    spt_open_html_handle(L, env);
    spt_open_html_work(L, env);
    spt_open_html_page(L, env);
    spt_open_html_selector(L, env);
    return 1;
}

static const luaL_Reg functions[] = {{"html", l_html}, {NULL, NULL}};

void spt_open_html(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
