/* SPDX-License-Identifier: MIT */
/* Puts the layers together into a host, and implements the public API. Only this file knows them
 * all. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/forks.h"
#include "base/time.h"
#include "core/core.h"
#include "core/error.h"
#include "core/pass.h"
#include "core/sched.h"
#include "host/call.h"
#include "host/ends.h"
#include "host/guard.h"
#include "host/mailbox.h"
#include "host/nested.h"
#include "host/report.h"
#include "host/run.h"
#include "host/script.h"
#include "host/state.h"
#include "host/token.h"
#include "http/driver.h"
#include "loop/loop.h"
#include "loop/turn_budget.h"
#include "lua/lib.h"
#include "lua/trace.h"
#include "op/env.h"

const char *septet_version(void)
{
    return SEPTET_VERSION;
}

uint32_t septet_version_number(void)
{
    return SEPTET_VERSION_NUMBER;
}

void septet_config_init(septet_config *config)
{
    *config = (septet_config){.size = sizeof *config,
                              .limits.bytes_per_turn = 1 << 20,
                              .trace_records = 65536,
                              .slow_ms = 100};
}

/* --- creation --- */

static uint64_t now(void *ud)
{
    return spt_loop_now(((septet_host *)ud)->loop);
}

static void wake(void *ud)
{
    septet_host *h = ud;
    spt_loop_wake(h->loop);
}

static bool busy(void *ud)
{
    septet_host *h = ud;
    return spt_mailbox_has_work(h->life.mailbox) || spt_driver_has_work(h->driver);
}

static const char core_key = 0; /* its address is the key of the core in the registry */

static int open_core(lua_State *L)
{
    septet_host *h = lua_touserdata(L, 1);
    const struct spt_hooks world = {.now = now,
                                    .wake = wake,
                                    .busy = busy,
                                    .unhandled = spt_report_unhandled,
                                    .warn = spt_report_warning,
                                    .interrupt_delivered = spt_report_interrupt_delivered,
                                    .drop_token = spt_token_drop,
                                    .ud = h};
    if (spt_sched_of(L))
        return luaL_error(L, "the state has a host already");
    struct spt_host_core *core = lua_newuserdatauv(L, sizeof *core, 2);
    memset(core, 0, sizeof *core);
    lua_rawgetp(L, LUA_REGISTRYINDEX,
                &core_key); /* an earlier host's: its functions are still alive */
    lua_setiuservalue(L, -2, 1);
    core->env.quirk_changes = lua_pushstring(L, h->config.quirks);
    lua_setiuservalue(L, -2, 2);
    core->env.lua_path = h->config.lua_path;
    core->env.config = &h->config;
    core->env.callbacks = &h->callbacks.running;
    core->env.owns_state = !h->config.lua;
    core->env.is_standard = !h->config.lua && h->config.profile == SEPTET_PROFILE_STANDARD;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &core_key);
    core->env.sched = &core->sched;
    core->env.loop = h->loop;
    spt_link_init(&core->env.resources);
    core->env.clock.is_virtual = h->config.clock != SEPTET_CLOCK_REAL;
    core->env.clock.manual = h->config.clock == SEPTET_CLOCK_MANUAL;
    spt_ends_watch(L, h);
    h->core = core;
    spt_core_open(&core->sched, L, &world, h->config.trace_records);
    core->sched.counts.account.limits = h->config.limits;
    core->sched.queues.shuffle = h->config.shuffle_seed;
    core->sched.frames.shown = h->config.own_frames != 0;
    core->sched.slow.limit_ns = h->config.slow_ms * SPT_NS_PER_MS;
    spt_guard_limit_slices(h, &h->config.limits, true);
    spt_guard_limit_memory(h);
    spt_guard_notice_interrupts(h);
    core->sched.interrupt.hook = spt_guard_urgent_hook;
    core->sched.interrupt.requested = &h->interrupt;
    spt_lib_open(L, &core->env);
    core->env.lua_path = NULL;
    return 0;
}

static int open_own(lua_State *L)
{
    septet_host *h = lua_touserdata(L, 1);
    if (h->config.profile == SEPTET_PROFILE_STANDARD) {
        lua_pushboolean(L, 1);
        lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    }
    luaL_openlibs(L);
    spt_report_open_warnings(L, h);
    return 0;
}

/* Runs `fn` with the host as its argument, protected. Returns SEPTET_OK, SEPTET_ENOMEM or
 * SEPTET_EINVAL. */
static int protected(septet_host *h, lua_CFunction fn)
{
    if (!lua_checkstack(h->L, 4))
        return SEPTET_ENOMEM;
    lua_pushcfunction(h->L, fn);
    lua_pushlightuserdata(h->L, h);
    if (lua_pcall(h->L, 1, 0, 0) == LUA_OK)
        return SEPTET_OK;
    bool memory = lua_type(h->L, -1) == LUA_TSTRING &&
                  strcmp(lua_tostring(h->L, -1), "not enough memory") == 0;
    lua_pop(h->L, 1);
    return memory ? SEPTET_ENOMEM : SEPTET_EINVAL;
}

/* Reports a Lua panic to the embedder. This is a bug, because the host protects all its calls. Lua
 * then aborts the process, as by default. */
static int on_panic(lua_State *L)
{
    septet_host *h = septet_host_of(L);
    if (h)
        spt_report_warning(h, "internal error: a Lua error outside protection");
    return 0;
}

static int open_lua(septet_host *h)
{
    if (h->config.lua) {
        h->L = h->config.lua;
        return SEPTET_OK;
    }
    h->L = spt_guard_new_state(h);
    if (!h->L)
        return SEPTET_ENOMEM;
    lua_atpanic(h->L, on_panic);
    return protected(h, open_own);
}

static int host_open(septet_host *h)
{
    if (h->config.clock < SEPTET_CLOCK_REAL || h->config.clock > SEPTET_CLOCK_MANUAL ||
        h->config.interrupt_signal < 0 || h->config.interrupt_signal >= NSIG ||
        h->config.inspect_signal < 0 || h->config.inspect_signal >= NSIG)
        return SEPTET_EINVAL;
    if (h->config.profile < SEPTET_PROFILE_STANDARD || h->config.profile > SEPTET_PROFILE_TRUSTED)
        return SEPTET_EINVAL;
    if (h->config.lua && (h->config.limits.memory || h->config.script_memory))
        return SEPTET_EINVAL;
    if (!spt_guard_knows(&h->config.limits))
        return SEPTET_EINVAL;
    int rc = open_lua(h);
    if (rc == SEPTET_OK)
        rc = spt_mailbox_open(h);
    if (rc == SEPTET_OK)
        rc = spt_loop_new(&h->loop, h->config.loop, spt_run_drain, h);
    if (rc == SEPTET_OK)
        spt_loop_on_nested(h->loop, spt_nested_refuse);
    if (rc == SEPTET_OK && h->config.limits.bytes_per_turn)
        spt_loop_budget(h->loop)->bytes_max = h->config.limits.bytes_per_turn;
    if (rc == SEPTET_OK && h->config.clock != SEPTET_CLOCK_REAL)
        spt_loop_make_virtual(h->loop);
    if (rc == SEPTET_OK)
        rc = protected(h, open_core);
    if (rc == SEPTET_OK)
        rc = spt_driver_new(&h->driver, h->loop, &spt_host_sched(h)->tree.timers);
    if (rc == SEPTET_OK) {
        h->core->env.driver = h->driver;
        spt_driver_change_quirks(h->driver, h->core->env.quirk_changes);
        spt_driver_set_permit(h->driver, h->config.permit, h->config.ud);
    }
    h->config.lua_path = h->config.quirks =
        NULL; /* the embedder's: what is used later was copied */
    return rc;
}

static void host_close(septet_host *h)
{
    struct spt_link scripts;
    spt_link_init(&scripts);
    if (h->life.mailbox)
        spt_mailbox_close(h);
    if (h->core)
        spt_script_detach_all(h, &scripts);
    if (h->L)
        spt_ends_close(h);
    if (h->L && !h->config.lua)
        lua_close(h->L);
    spt_script_free_all(&scripts);
    if (h->loop)
        spt_loop_free(h->loop);
    septet_mailbox_release(h->life.mailbox);
    free(h);
}

septet_host *septet_new(const septet_config *config, int *status)
{
    int rc =
        !config || config->size < offsetof(septet_config, loop) ? SEPTET_EINVAL : SEPTET_ENOMEM;
    septet_host *h = rc == SEPTET_EINVAL ? NULL : calloc(1, sizeof *h);
    if (h) {
        size_t size = config->size < sizeof *config ? config->size : sizeof *config;
        h->life.thread = pthread_self();
        spt_forks_watch();
        h->life.forks = spt_forks_count();
        septet_config_init(&h->config);
        spt_link_init(&h->callbacks.calls);
        memcpy(&h->config, config, size); /* an older embedder's is shorter */
        rc = host_open(h);
        if (rc != SEPTET_OK) {
            host_close(h);
            h = NULL;
        }
    }
    if (status)
        *status = rc;
    return h;
}

/* --- end --- */

/* Unwinds every task: each wait raises, and no new wait begins. */
static void unwind(septet_host *h)
{
    struct spt_sched *s = spt_host_sched(h);
    spt_sched_enter(s);
    spt_pass_unwind(s);
    spt_trace_flush(&h->core->env);
    spt_sched_leave(s);
    if (s->counts.live > 0)
        spt_report_warning(h, "tasks were left when the host ended");
}

int septet_free(septet_host *host)
{
    if (!host)
        return SEPTET_OK;
    int rc = spt_run_check(host);
    if (rc != SEPTET_OK && rc != SEPTET_ECLOSED)
        return rc;
    if (spt_loop_is_polling(host->loop))
        return SEPTET_EBUSY;
    host->step.turning = true; /* a finalizer or a close callback may call */
    if (rc == SEPTET_OK) {
        unwind(host);
        spt_call_end_all(host);
    }
    host_close(host);
    return SEPTET_OK;
}
