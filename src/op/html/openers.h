/* SPDX-License-Identifier: MIT */
/* The register of the openers of the files in op/html/. Each adds its functions to the table on top
 * of the stack, and registers its types. */
#ifndef SPT_OP_HTML_OPENERS_H
#define SPT_OP_HTML_OPENERS_H

#include <lua.h>

struct spt_env;

void spt_open_html_handle(lua_State *L, struct spt_env *env);
void spt_open_html_page(lua_State *L, struct spt_env *env);
void spt_open_html_selector(lua_State *L, struct spt_env *env);
void spt_open_html_work(lua_State *L, struct spt_env *env);

#endif
