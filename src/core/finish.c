/* SPDX-License-Identifier: MIT */
/* Ends tasks once their bodies have ended and their children too, and reports failures. */
#include "core/finish.h"

#include "core/deadlock.h"
#include "core/error.h"
#include "core/inspect.h"
#include "core/failure_origin.h"
#include "core/sched.h"
#include "core/script.h"
#include "core/task.h"

void spt_finish_report(struct spt_task *t)
{
    bool delivered = spt_failure_origin_is_delivered(t->sched->main, t) && !t->body.is_main;
    t->failure.owed_to_group = false;
    if (!delivered) {
        spt_trace_put(&t->sched->trace, (struct spt_rec){.t = t->sched->now_ns,
                                                         .task = t->id,
                                                         .kind = SPT_REC_UNSEEN,
                                                         .sub = t->body.is_main});
        t->sched->hooks.unhandled(t->sched->hooks.ud, t);
    }
    t->failure.observed = true;
    spt_task_unanchor(t);
}

/* Keeps a failure that is not observed yet in its scope: until its group ends for it, or the scope
 * closes. The host's own scopes never close, so their failures are reported at once. */
static void keep_failure(struct spt_task *t, struct spt_scope *owner)
{
    spt_list_push(spt_scope_is_hosts(owner) ? &t->sched->tree.unhandled
                                            : &spt_scope_lists(owner)->failed,
                  &t->link);
    t->failure.owed_to_group = owner->kind.cancels_on_failure;
    if (owner->kind.cancels_on_failure)
        spt_scope_cancel(owner, "sibling", NULL);
}

static void fire_watches(struct spt_task *t)
{
    for (struct spt_link *l; (l = spt_list_pop(&t->watches));) {
        struct spt_watch *w = SPT_OF(l, struct spt_watch, link);
        w->fire(w, t);
    }
}

/* Handles the end of one of the scope's tasks. If it was the last, returns the task that waits for
 * that before its own end, or calls the scope's on_empty. */
static struct spt_task *emptied(struct spt_scope *scope)
{
    struct spt_task *t = spt_task_of_scope(scope);
    if (scope->tasks.live > 0)
        return NULL;
    if (t && t->body.ended && t->scope == scope)
        return t;
    spt_scope_notify_empty(scope);
    return NULL;
}

/* Counts the end of a task in its account, which may not outlive it. */
static void leave_account(struct spt_task *t)
{
    struct spt_account *account = t->spawn.account;
    t->spawn.account = &t->sched->counts.account;
    spt_account_remove_task(account);
    if (t->state != SPT_TASK_DONE)
        t->numbers.script = account->script ? account->script->id : 0;
    if (!account->script)
        return;
    if (t->body.is_main)
        spt_script_main_ended(account->script);
    if (account->tasks == 0)
        spt_script_emptied(account->script);
}

/* Returns true if a task was cancelled by its script or the host, and not by the embedder. */
static bool is_unfinished(const struct spt_task *t)
{
    return t->state == SPT_TASK_CANCELLED && t->body.is_main && !t->sched->run.shutting_down &&
           !t->root.cancel.expected;
}

/* Sets what the record of a failure says of its error. */
static void describe_failure(struct spt_rec *rec, const struct spt_task *t)
{
    struct spt_trace *tr = &t->sched->trace;
    lua_State *L = t->sched->main;
    if (!tr->ring || !lua_checkstack(L, 6))
        return;
    spt_task_push(L, t);
    lua_getiuservalue(L, -1, SPT_TASK_UV_VALUE);
    const char *kind = spt_error_field(L, -1, "kind"), *code = spt_error_field(L, -1, "code");
    rec->a = spt_trace_intern_name(tr, kind ? kind : "error");
    rec->ref = spt_trace_intern_name(tr, code);
    lua_pop(L, 2);
}

static void record_end(const struct spt_task *t)
{
    struct spt_rec rec = {
        .t = t->sched->now_ns, .task = t->id, .kind = SPT_REC_END, .sub = t->state};
    if (t->state == SPT_TASK_FAILED)
        describe_failure(&rec, t);
    spt_trace_put(&t->sched->trace, rec);
}

/* Completes `t`. Returns the task that waited only for `t` before its own end, or NULL. */
static struct spt_task *finish(struct spt_task *t)
{
    struct spt_sched *s = t->sched;
    struct spt_scope *owner = t->root.parent;
    spt_task_become(t, t->body.outcome);
    record_end(t);
    spt_scope_close(&t->root);
    if (s->interrupt.foreground == &t->root)
        s->interrupt.foreground = NULL;
    owner->tasks.live--;
    owner->tasks.cancelled |= t->state == SPT_TASK_CANCELLED;
    s->counts.live--;
    fire_watches(t);
    bool failed =
        t->state == SPT_TASK_FAILED && (!t->failure.observed || owner->kind.cancels_on_failure);
    if (t->body.is_call)
        t->failure.observed = true; /* its watch keeps the anchor */
    else if (failed || is_unfinished(t))
        keep_failure(t, owner);
    else
        spt_task_unanchor(t);
    if (t->body.is_main) {
        s->counts.cancelled_mains += t->state == SPT_TASK_CANCELLED;
        if (--s->counts.mains == 0)
            spt_scope_cancel(&s->tree.background, "owner", NULL);
    }
    leave_account(t);
    return emptied(owner);
}

void spt_finish_leave(struct spt_scope *scope)
{
    if (scope->tasks.live == 0 || scope->cancel_pending)
        return;
    /* if the body failed, that failure is the cause, and is reported */
    const struct spt_task *t = spt_task_of_scope(scope);
    if (!t || !t->body.failing)
        spt_inspect_warn_unstarted(scope);
    spt_scope_cancel(scope, "owner", NULL);
}

/* Makes `t` wait for the tasks of a scope once the scope's body has ended. */
static void await_children(struct spt_task *t, struct spt_scope *scope)
{
    if (t->state == SPT_TASK_RUNNING)
        spt_task_become(t, SPT_TASK_WAITING);
    t->body.ended = true;
    spt_finish_leave(scope);
    if (!spt_list_is_empty(&t->sched->queues.acyclic_waits))
        spt_deadlock_break(t);
}

/* Closes the scopes that are still open, innermost first, because the body cannot if memory fails.
 * Returns true if no child lives any more. */
static bool close_scopes(struct spt_task *t)
{
    for (; t->scope != &t->root; t->scope = t->scope->parent) {
        if (t->scope->tasks.live > 0) {
            await_children(t, t->scope);
            return false;
        }
        if (!t->body.abandoned)
            spt_inspect_warn_left(t->scope);
        spt_scope_close(t->scope);
    }
    if (t->root.tasks.live > 0)
        await_children(t, &t->root);
    return t->root.tasks.live == 0;
}

/* Ends a task once its body has ended, or leaves that to the last of its children. Also ends, up a
 * chain of any length, the tasks that waited for nothing else. */
void spt_finish_task(struct spt_task *t)
{
    struct spt_sched *s = t ? t->sched : NULL;
    while (t && close_scopes(t)) {
        s->run.ending = t->id;
        t = finish(t);
        s->run.ending = 0;
    }
}

static void on_start_over(struct spt_resource *resource)
{
    struct spt_block *into = SPT_OF(resource, struct spt_block, start_over)->into;
    spt_link_remove(&SPT_OF(resource, struct spt_block, start_over)->start);
    into->scope.tasks.live--;
    spt_finish_task(emptied(&into->scope));
}

void spt_finish_expect(struct spt_block *into, struct spt_block *from)
{
    from->into = into;
    from->start_over.release = on_start_over;
    spt_link_init(&from->start_over.link);
    spt_scope_add(&from->scope, &from->start_over);
    spt_list_push(&into->starts, &from->start);
    into->scope.tasks.live++;
}
