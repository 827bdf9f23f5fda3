/* The tree of scopes: cancellation flows down, failures flow up. */
#include "core/scope.h"

#include <assert.h>
#include <stdio.h>

#include "core/sched.h"
#include "core/task.h"

void spt_scope_init(struct spt_scope *scope, struct spt_sched *sched, struct spt_scope *parent,
                    struct spt_task *task)
{
    *scope = (struct spt_scope){.sched = sched, .parent = parent, .task = task, .open = true};
    spt_link_init(&scope->children);
    spt_link_init(&scope->sibling);
    spt_link_init(&scope->failed);
    spt_link_init(&scope->resources);
    if (parent) {
        scope->effective = parent->effective;
        spt_list_push(&parent->children, &scope->sibling);
    }
}

struct spt_scope *spt_scope_next(const struct spt_scope *top, struct spt_scope *s, bool descend)
{
    if (descend && !spt_link_alone(&s->children))
        return SPT_OF(s->children.next, struct spt_scope, sibling);
    while (s != top && s->sibling.next == &s->parent->children)
        s = s->parent;
    return s == top ? NULL : SPT_OF(s->sibling.next, struct spt_scope, sibling);
}

/* Marks `scope` as reached by cancellation and ends its task's wait, if that task waits right in it. */
static void reach(struct spt_scope *scope)
{
    scope->effective = true;
    if (scope->task && scope->task->scope == scope)
        spt_task_abort(scope->task);
}

/* Reaches `top` and what is below it, past shields and what is reached already. */
static void spread(struct spt_scope *top)
{
    bool enter = true;
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, enter)) {
        enter = s == top || (!s->shield && !s->effective);
        if (enter)
            reach(s);
    }
}

bool spt_scope_cancel(struct spt_scope *scope, const char *source, const char *reason)
{
    struct spt_sched *s = scope->sched;
    if (!scope->open || scope->cancelled)
        return false;
    scope->cancelled = true;
    scope->source = source;
    scope->by = s->current ? s->current->id : 0;
    snprintf(scope->reason, sizeof scope->reason, "%s", reason ? reason : "");
    spt_trace_put(&s->trace, (struct spt_rec){.t = s->now_ns,
                                              .task = scope->task ? scope->task->id : 0,
                                              .ref = scope->by,
                                              .kind = SPT_REC_CANCEL,
                                              .a = spt_trace_intern(&s->trace, source)});
    if (!scope->effective)
        spread(scope);
    return true;
}

static void on_deadline(struct spt_timer *timer)
{
    spt_scope_cancel(SPT_OF(timer, struct spt_scope, deadline), "deadline", NULL);
}

void spt_scope_deadline(struct spt_scope *scope, uint64_t due_ns)
{
    if (due_ns == SPT_NEVER)
        spt_timer_stop(&scope->sched->timers, &scope->deadline);
    else
        spt_timer_start(&scope->sched->timers, &scope->deadline, due_ns, on_deadline);
}

bool spt_scope_absorbs(const struct spt_scope *scope)
{
    return scope->cancelled && (scope->shield || !scope->parent || !scope->parent->effective);
}

const struct spt_scope *spt_scope_canceller(const struct spt_scope *scope)
{
    for (; scope; scope = scope->parent) {
        if (scope->cancelled)
            return scope;
        if (scope->shield)
            break;
    }
    return NULL;
}

void spt_scope_add(struct spt_scope *scope, struct spt_resource *resource)
{
    assert(scope->open);
    spt_list_push(&scope->resources, &resource->link);
}

static void release_resources(struct spt_scope *scope)
{
    while (!spt_link_alone(&scope->resources)) {
        struct spt_link *last = scope->resources.prev;
        spt_link_remove(last);
        struct spt_resource *r = SPT_OF(last, struct spt_resource, link);
        r->release(r);
    }
}

void spt_scope_close(struct spt_scope *scope)
{
    struct spt_sched *s = scope->sched;
    assert(scope->open && scope->ntasks == 0 && spt_link_alone(&scope->children));
    scope->open = false;
    spt_timer_stop(&s->timers, &scope->deadline);
    release_resources(scope);
    spt_list_splice(&s->unhandled, &scope->failed);
    spt_link_remove(&scope->sibling);
}
