/* SPDX-License-Identifier: MIT */
/* Runs in the prepare handle of the nested run, below C code that may not raise. So it only sets a
 * hook, which raises. */
#include "host/nested.h"

#include "core/error.h"
#include "core/frames.h"
#include "core/hook.h"
#include "core/task.h"
#include "host/guard.h"
#include "host/state.h"
#include "septet/op.h"

/* Returns true if a function of Lua is on the stack. */
static bool runs_lua(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "S", &ar);
        if (*ar.what != 'C')
            return true;
    }
    return false;
}

/* Raises, unless the nested run was that of a callback in C between two tasks. Septet's own modules
 * continue until they call a script's function or return to one. An interrupt comes first. */
static void hook(lua_State *L, lua_Debug *ar)
{
    septet_host *h = septet_host_of(L);
    if (!h) { /* the host has ended */
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    struct spt_sched *s = spt_host_sched(h);
    const struct spt_task *t = s->current;
    if (h->callbacks.nested && t && spt_frames_own(L)) {
        spt_hook_each(t, hook, SPT_HOOK_EVERYTHING);
        return;
    }
    spt_hook_restore(L, s);
    /* a bare task that waits already does not fail any more */
    bool fails =
        t ? t->co || t->state == SPT_TASK_RUNNING : h->callbacks.running > 0 || runs_lua(L);
    bool raises = h->callbacks.nested && fails;
    h->callbacks.nested = false;
    if (h->interrupt)
        spt_guard_urgent_hook(L, ar);
    else if (raises)
        spt_error_usage(L, "cannot run the loop of the host inside the host: tasks wait by an "
                           "operation, such as task.sleep");
}

void spt_nested_refuse(void *ud)
{
    septet_host *h = ud;
    const struct spt_sched *s = spt_host_sched(h);
    if (!h->L)
        return;
    h->callbacks.nested = true;
    lua_sethook(s->current ? spt_hook_running(s) : h->L, hook, SPT_HOOK_EVERYTHING, 1);
}
