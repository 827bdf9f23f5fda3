/* SPDX-License-Identifier: MIT */
/* Gives scripts the dump of tasks as a string. The length is measured first, because an allocation
 * in the middle could run finalizers, which may end tasks. */
#include <lauxlib.h>
#include <string.h>

#include "core/dump.h"
#include "core/sched.h"
#include "core/task.h"
#include "http/driver.h"
#include "lua/lib.h"
#include "op/env.h"

/* The lines, each with a newline. */
struct lines {
    char *out;   /* NULL: they are only measured */
    size_t size; /* bytes of `out` */
    size_t n;    /* bytes of the lines so far */
};

static void add_line(void *ud, const char *text)
{
    struct lines *lines = ud;
    size_t length = strlen(text);
    if (lines->out && lines->n + length + 1 <= lines->size) {
        memcpy(lines->out + lines->n, text, length);
        lines->out[lines->n + length] = '\n';
    }
    lines->n += length + 1;
}

/* Returns the account of the tasks that the script may see; NULL for all. */
static const struct spt_account *visible(const struct spt_env *env)
{
    const struct spt_sched *s = env->sched;
    if (!env->is_standard)
        return NULL;
    return s->current ? s->current->spawn.account : &s->counts.account;
}

/* trace_ps(form): returns the text about the live tasks in a form, one of SEPTET_DUMP_... A script
 * of the standard profile sees its own tasks. */
static int l_ps(lua_State *L)
{
    const struct spt_env *env = spt_env(L);
    struct lines lines = {.out = NULL};
    struct spt_dump dump = {.s = env->sched,
                            .form = (int)luaL_checkinteger(L, 1),
                            .only = visible(env),
                            .line = add_line,
                            .ud = &lines};
    if (!dump.only && env->driver) {
        dump.in_flight = spt_driver_running(env->driver);
        dump.queued = spt_driver_requests(env->driver) - dump.in_flight;
    }
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    spt_dump_write(&dump);
    while (lines.n > lines.size) {
        lua_settop(L, 1);
        lines.size = lines.n + lines.n / 8 + 256; /* times have more digits later */
        lines.out = lua_newuserdatauv(L, lines.size, 0);
        lines.n = 0;
        spt_dump_write(&dump);
    }
    lua_pushlstring(L, lines.out ? lines.out : "", lines.n);
    return 1;
}

static const luaL_Reg functions[] = {{"trace_ps", l_ps}, {NULL, NULL}};

void spt_open_trace_ps(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
