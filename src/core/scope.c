/* Propagates cancellation down the tree of scopes, and failures up. */
#include "core/scope.h"

#include <assert.h>

#include "core/prefetch.h"
#include "core/sched.h"
#include "core/task.h"

void spt_scope_init(struct spt_scope *scope, struct spt_sched *sched, struct spt_scope *parent,
                    struct spt_task *task)
{
    *scope = (struct spt_scope){.sched = sched,
                                .parent = parent,
                                .task = task,
                                .open = true,
                                .due_ns = SPT_NEVER,
                                .effective_deadline_ns = SPT_NEVER};
    spt_link_init(&scope->children);
    spt_link_init(&scope->sibling);
    spt_link_init(&scope->failed);
    spt_link_init(&scope->resources);
    if (parent) {
        scope->cancel_pending = parent->cancel_pending;
        scope->canceller = parent->canceller;
        scope->effective_deadline_ns = parent->effective_deadline_ns;
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

/* Marks `scope` as cancel pending, and ends its task's wait if that is its innermost scope. */
static void mark_cancelled(struct spt_scope *scope, const struct spt_scope *canceller)
{
    scope->cancel_pending = true;
    scope->canceller = canceller;
    if (scope->task && scope->task->scope == scope)
        spt_task_abort(scope->task);
}

/* Cancels `top` and all below it, except shields, scopes already pending, and what is below
 * those. */
static void propagate_cancel(struct spt_scope *top, const struct spt_scope *canceller)
{
    bool enter = true;
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, enter)) {
        /* next is usually the root of the task spawned after this one */
        spt_prefetch(SPT_OF(s->sibling.next, struct spt_task, root.sibling),
                     sizeof(struct spt_task));
        enter = s == top || (!s->shield && !s->cancel_pending);
        if (enter)
            mark_cancelled(s, canceller);
    }
}

bool spt_scope_cancel(struct spt_scope *scope, const char *source, const char *reason)
{
    struct spt_sched *s = scope->sched;
    if (!scope->open || scope->cancelled)
        return false;
    scope->cancelled = true;
    scope->source = source;
    scope->cancel_seq = ++s->cancel_seq;
    scope->by = s->current ? s->current->id : 0;
    scope->reason = reason;
    spt_trace_put(&s->trace, (struct spt_rec){.t = s->now_ns,
                                              .task = scope->task ? scope->task->id : 0,
                                              .ref = scope->by,
                                              .kind = SPT_REC_CANCEL,
                                              .a = spt_trace_word(&s->trace, source)});
    if (!scope->cancel_pending)
        propagate_cancel(scope, scope);
    return true;
}

bool spt_scope_cancel_tasks(struct spt_scope *scope, const char *source, const char *reason)
{
    const struct spt_link *head = &scope->children;
    if (!scope->open || scope->source)
        return false;
    scope->source = source;
    scope->reason = reason;
    for (const struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_scope *child = SPT_OF(l, struct spt_scope, sibling);
        if (child == &child->task->root)
            spt_scope_cancel(child, source, reason);
    }
    return true;
}

bool spt_scope_inherit_cancel(struct spt_scope *root)
{
    const struct spt_scope *owner = root->parent;
    bool behind = owner->cancels_children_only && owner->source && !owner->cancelled;
    return behind && /* otherwise it inherits that from above */
           spt_scope_cancel(root, owner->source, owner->reason);
}

static void on_deadline(struct spt_timer *timer)
{
    spt_scope_cancel(&SPT_OF(timer, struct spt_block, deadline)->scope, "deadline", NULL);
}

/* Updates the deadlines in force of `top` and all below it. */
static void limit(struct spt_scope *top)
{
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, true)) {
        uint64_t around = s->shield || !s->parent ? SPT_NEVER : s->parent->effective_deadline_ns;
        s->effective_deadline_ns = s->due_ns < around ? s->due_ns : around;
    }
}

void spt_block_deadline(struct spt_block *block, uint64_t due_ns)
{
    struct spt_timers *timers = &block->scope.sched->timers;
    block->scope.due_ns = due_ns;
    limit(&block->scope);
    if (due_ns == SPT_NEVER)
        spt_timer_stop(timers, &block->deadline);
    else
        spt_timer_start(timers, &block->deadline, due_ns, on_deadline);
}

void spt_scope_expire(struct spt_scope *scope, uint64_t now_ns)
{
    for (struct spt_scope *s = scope; s; s = s->shield ? NULL : s->parent)
        if (s->due_ns <= now_ns)
            spt_scope_cancel(s, "deadline", NULL);
}

void spt_scope_shield(struct spt_scope *scope)
{
    scope->shield = true;
    scope->cancel_pending = false;
    scope->canceller = NULL;
    limit(scope);
}

struct spt_block *spt_scope_block(const struct spt_scope *scope)
{
    bool is_block = scope->task && scope != &scope->task->root;
    return is_block ? SPT_OF(scope, struct spt_block, scope) : NULL;
}

void spt_scope_tell_empty(struct spt_scope *scope)
{
    void (*on_empty)(struct spt_scope *) = scope->on_empty;
    if (scope->ntasks > 0 || !on_empty)
        return;
    scope->on_empty = NULL;
    on_empty(scope);
}

bool spt_scope_move(struct spt_scope *root, struct spt_scope *to)
{
    struct spt_scope *from = root->parent;
    spt_link_remove(&root->sibling);
    spt_list_push(&to->children, &root->sibling);
    root->parent = to;
    to->ntasks++;
    to->had_tasks = true;
    limit(root);
    if (to->cancel_pending && !root->cancel_pending)
        propagate_cancel(root, to->canceller);
    bool cancelled = spt_scope_inherit_cancel(root);
    from->ntasks--;
    spt_scope_tell_empty(from);
    return cancelled;
}

bool spt_scope_catches_cancel(const struct spt_scope *scope)
{
    return scope->cancelled && (scope->shield || !scope->parent || !scope->parent->cancel_pending);
}

const struct spt_scope *spt_scope_canceller(const struct spt_scope *scope)
{
    const struct spt_scope *outermost = NULL;
    for (;; scope = scope->parent) {
        if (scope->cancelled)
            outermost = scope;
        if (scope->shield || !scope->task)
            return outermost;
        if (scope == &scope->task->root)
            return scope->cancel_pending && !scope->cancelled ? scope->canceller : outermost;
    }
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
    if (scope->due_ns != SPT_NEVER) /* only a block has one */
        spt_timer_stop(&s->timers, &SPT_OF(scope, struct spt_block, scope)->deadline);
    if (scope->cancels_children_only)
        spt_trace_unpin(&s->trace, SPT_OF(scope, struct spt_block, scope)->spawn_place);
    release_resources(scope);
    spt_list_splice(&s->unhandled, &scope->failed);
    spt_link_remove(&scope->sibling);
}
