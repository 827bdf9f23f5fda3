/* SPDX-License-Identifier: MIT */
/* Watches the task of each call. Everything that can fail comes before on_result, which is called
 * without the results if memory is too short to push them. */
#include "host/call.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "core/failure_origin.h"
#include "core/script.h"
#include "core/task.h"
#include "host/callback.h"
#include "host/load.h"
#include "host/report.h"
#include "host/script.h"

struct call {
    struct spt_link link;    /* in the host's calls */
    struct spt_watch watch;  /* of its task */
    struct spt_deferred end; /* queued once the task has ended */
    septet_host *host;       /* borrowed */
    struct spt_task *task;   /* borrowed; anchored until the call ends */
    void (*on_result)(void *ud, const septet_result *result);
    void *ud;
    septet_result result; /* what on_result gets */
};

static void call_on_result(septet_host *h, void *arg)
{
    struct call *call = arg;
    void (*on_result)(void *, const septet_result *) = call->on_result;
    call->on_result = NULL; /* it is called once */
    on_result(call->ud, &call->result);
}

/* Calls on_result with the top `n` values of the stack. */
static void give_result(lua_State *L, struct call *call, int status, const septet_error *error,
                        int n)
{
    call->result =
        (septet_result){.status = status, .lua = L, .first = 1, .count = n, .error = error};
    spt_callback_run(call->host, &(struct spt_callback){"on_result", call_on_result, call}, n);
}

static int status_of(const struct spt_task *t)
{
    return t->state == SPT_TASK_FAILED ? SEPTET_ESCRIPT : SEPTET_ECANCELLED;
}

/* Pushes the results or the error, and calls on_result with them. Runs protected. */
static int deliver(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    const struct spt_task *t = call->task;
    struct spt_report report;
    lua_settop(L, 0);
    spt_report_push(L, t);
    if (t->state == SPT_TASK_DONE) {
        give_result(L, call, SEPTET_OK, NULL, spt_task_push_results(L, 1, t));
        return 0;
    }
    spt_report_describe(L, t, &report);
    report.error.value = 1;
    lua_pushvalue(L, 2);
    give_result(L, call, status_of(t), &report.error, 1);
    return 0;
}

/* Calls on_result without values, because there is no memory for them, or no end of the task. */
static void give_plainly(struct call *call, int status, const char *kind, const char *message)
{
    const septet_error error = {.kind = kind,
                                .message = message,
                                .traceback = "",
                                .task = "",
                                .task_id = call->task->id,
                                .is_main = 1};
    call->result = (septet_result){.status = status, .lua = call->host->L, .error = &error};
    spt_callback_run_plainly(call->host, &(struct spt_callback){"on_result", call_on_result, call});
}

static void free_call(struct call *call)
{
    spt_link_remove(&call->link);
    free(call);
}

static void on_end(struct spt_deferred *end, lua_State *main)
{
    struct call *call = SPT_OF(end, struct call, end);
    lua_State *L = call->host->L;
    struct spt_task *t = call->task;
    if (t->state == SPT_TASK_FAILED)
        spt_failure_origin_is_delivered(main, t); /* records that it is, here */
    if (lua_checkstack(L, LUA_MINSTACK)) {
        lua_pushcfunction(L, deliver);
        lua_pushlightuserdata(L, call);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK)
            lua_pop(L, 1);
    }
    if (call->on_result)
        give_plainly(call, t->state == SPT_TASK_DONE ? SEPTET_ESCRIPT : status_of(t), "OutOfMemory",
                     "not enough memory");
    spt_task_unanchor(t);
    free_call(call);
}

static void on_task_end(struct spt_watch *watch, struct spt_task *t)
{
    spt_list_push(&t->sched->queues.endings, &SPT_OF(watch, struct call, watch)->end.link);
    spt_sched_wake(t->sched);
}

int septet_call(septet_host *host, septet_script *script, const char *name, int nargs,
                void (*on_result)(void *ud, const septet_result *result), void *ud)
{
    struct spt_load_spawn spawn = {.host = host, .name = name, .nargs = nargs};
    if (!on_result || (script && script->host != host))
        return SEPTET_EINVAL;
    spawn.script = script ? &script->core : NULL;
    struct call *call = calloc(1, sizeof *call);
    int rc = call ? spt_load_spawn(&spawn) : SEPTET_ENOMEM;
    if (rc != SEPTET_OK) {
        free(call);
        return rc;
    }
    call->host = host;
    call->task = spawn.task;
    call->on_result = on_result;
    call->ud = ud;
    call->end.run = on_end;
    call->watch.fire = on_task_end;
    call->task->body.is_call = true;
    spt_task_watch(call->task, &call->watch);
    spt_link_init(&call->end.link);
    spt_link_init(&call->link);
    spt_list_push(&host->callbacks.calls, &call->link);
    return SEPTET_OK;
}

void spt_call_end_all(septet_host *h)
{
    struct spt_link *calls = &h->callbacks.calls;
    while (!spt_list_is_empty(calls)) {
        struct call *call = SPT_OF(calls->next, struct call, link);
        spt_link_remove(&call->watch.link);
        give_plainly(call, SEPTET_ECANCELLED, "Cancelled", "cancelled (shutdown)");
        free_call(call);
    }
}
