/* SPDX-License-Identifier: MIT */
/* Formats stack frames like luaL_traceback(), without Septet's own. */
#include "core/frames.h"

#include <lauxlib.h>
#include <string.h>

#include "core/error.h"
#include "core/function_names.h"
#include "core/sched.h"
#include "core/task.h"

#define HEAD 10 /* number of frames shown from the top of a stack */
#define TAIL 11 /* number of levels shown from its bottom */

static bool is_own(const lua_Debug *ar)
{
    return strncmp(ar->source, "=[septet.", 9) == 0;
}

/* Returns true for a function of Septet's modules, and for a C function that such a function
 * called. */
static bool is_hidden(lua_State *co, int level, const lua_Debug *ar)
{
    lua_Debug caller;
    if (is_own(ar))
        return true;
    if (*ar->what != 'C' || !lua_getstack(co, level + 1, &caller))
        return false;
    lua_getinfo(co, "S", &caller);
    return is_own(&caller);
}

int spt_frames_last(lua_State *co)
{
    lua_Debug ar;
    int low = 1, high = 1;
    while (lua_getstack(co, high, &ar)) {
        low = high;
        high *= 2;
    }
    while (low < high) {
        int middle = (low + high) / 2;
        if (lua_getstack(co, middle, &ar))
            low = middle + 1;
        else
            high = middle;
    }
    return high - 1;
}

bool spt_frames_count_is(lua_State *L, int n)
{
    lua_Debug ar;
    return n > 0 && lua_getstack(L, n - 1, &ar) && !lua_getstack(L, n, &ar);
}

bool spt_frames_hidden(lua_State *L, lua_Debug *ar)
{
    const struct spt_sched *s = spt_sched_of(L);
    lua_getinfo(L, "f", ar);
    lua_CFunction function = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    return function && s && (function == s->frames.base || function == s->frames.handler);
}

bool spt_frames_own(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "S", &ar);
        if (*ar.what != 'C')
            return is_own(&ar);
    }
    return false;
}

/* Pushes the name of a frame's function, in the words of lua5.4. */
static void push_function(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "f", ar);
    const char *global = spt_function_names_push_loaded(L, lua_gettop(L));
    if (global)
        lua_pushfstring(L, "function '%s'", global);
    else if (*ar->namewhat != '\0')
        lua_pushfstring(L, "%s '%s'", ar->namewhat, ar->name);
    else if (*ar->what == 'm')
        lua_pushliteral(L, "main chunk");
    else if (*ar->what != 'C')
        lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
    else
        lua_pushliteral(L, "?");
    lua_replace(L, global ? -3 : -2);
    if (global)
        lua_pop(L, 1);
}

static void add_frame(lua_State *L, luaL_Buffer *b, lua_Debug *ar)
{
    luaL_addstring(b, "\n\t");
    push_function(L, ar);
    if (ar->currentline > 0)
        lua_pushfstring(L, "%s:%d: in %s", ar->short_src, ar->currentline, lua_tostring(L, -1));
    else
        lua_pushfstring(L, "%s: in %s", ar->short_src, lua_tostring(L, -1));
    lua_remove(L, -2);
    spt_error_escape(L);
    luaL_addvalue(b);
    if (ar->istailcall)
        luaL_addstring(b, "\n\t(...tail calls...)");
}

void spt_frames_push(lua_State *L, lua_State *co, int level)
{
    lua_Debug ar;
    luaL_Buffer b;
    const struct spt_sched *s = spt_sched_of(L);
    int last = spt_frames_last(co), shown = 0;
    bool whole = s && s->frames.shown;
    luaL_buffinit(L, &b);
    for (; lua_getstack(co, level, &ar); level++) {
        int skipped = last - level - TAIL + 1;
        if (shown == HEAD && skipped > 0) {
            lua_pushfstring(L, "\n\t...\t(skipping %d levels)", skipped);
            luaL_addvalue(&b);
            level += skipped;
            shown++;
            if (!lua_getstack(co, level, &ar))
                break;
        }
        lua_getinfo(co, "Slnt", &ar);
        if (!whole && is_hidden(co, level, &ar))
            continue;
        add_frame(L, &b, &ar);
        shown++;
    }
    luaL_pushresult(&b);
}

void spt_frames_push_bare(lua_State *L)
{
    int handle = lua_gettop(L);
    lua_getiuservalue(L, handle, SPT_TASK_UV_VALUE);
    const char *name = spt_function_names_push_loaded(L, handle + 1);
    if (name)
        lua_pushfstring(L, "\n\t[C]: in function '%s'\n\t[C]: in ?", name);
    else
        lua_pushliteral(L, "\n\t[C]: in ?\n\t[C]: in ?");
    lua_replace(L, handle);
    lua_settop(L, handle);
}
