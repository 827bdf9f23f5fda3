/* SPDX-License-Identifier: MIT */
/* Propagates cancellation down the tree of scopes, and failures up. */
#include "core/scope.h"

#include <assert.h>
#include <string.h>

#include "core/trace.h"

#define ALONE(link)                                                                                \
    {                                                                                              \
        (struct spt_link *)&(link), (struct spt_link *)&(link)                                     \
    }
const struct spt_scope_lists spt_scope_no_lists = {ALONE(spt_scope_no_lists.children),
                                                   ALONE(spt_scope_no_lists.failed),
                                                   ALONE(spt_scope_no_lists.resources)};

static void init(struct spt_scope *scope, struct spt_scope_lists *lists, struct spt_tree *tree)
{
    *scope = (struct spt_scope){.tree = tree, .open = true, .effective_deadline_ns = SPT_NEVER};
    spt_link_init(&scope->sibling);
    if (!lists)
        return;
    assert((char *)lists - (char *)scope <= UINT8_MAX);
    scope->lists_at = (uint8_t)((char *)lists - (char *)scope);
    spt_link_init(&lists->children);
    spt_link_init(&lists->failed);
    spt_link_init(&lists->resources);
}

void spt_scope_init_tree(struct spt_tree *tree)
{
    spt_timer_init(&tree->timers);
    spt_link_init(&tree->unhandled);
    spt_link_init(&tree->scripts);
    init(&tree->mains, &tree->mains_lists, tree);
    init(&tree->background, &tree->background_lists, tree);
}

void spt_scope_open(struct spt_scope *scope, struct spt_scope_lists *lists,
                    struct spt_scope_kind kind, struct spt_scope *parent)
{
    init(scope, lists, parent->tree);
    scope->kind = kind;
    scope->parent = parent;
    if (!kind.shield) {
        scope->cancel_pending = parent->cancel_pending;
        scope->canceller = parent->canceller;
        scope->effective_deadline_ns = parent->effective_deadline_ns;
    }
    if (parent->lists_at)
        spt_list_push(&spt_scope_lists(parent)->children, &scope->sibling);
}

void spt_scope_renew(struct spt_scope *scope)
{
    scope->cancel_pending = false;
    scope->cancel = (struct spt_cancellation){0};
}

struct spt_scope *spt_scope_next(const struct spt_scope *top, struct spt_scope *s, bool descend)
{
    const struct spt_link *children = &spt_scope_lists(s)->children;
    if (descend && !spt_list_is_empty(children))
        return SPT_OF(children->next, struct spt_scope, sibling);
    while (s != top && s->sibling.next == &spt_scope_lists(s->parent)->children)
        s = s->parent;
    return s == top ? NULL : SPT_OF(s->sibling.next, struct spt_scope, sibling);
}

static void mark_cancelled(struct spt_scope *s, const struct spt_scope *canceller)
{
    s->cancel_pending = true;
    s->canceller = canceller;
    if (!spt_scope_is_hosts(s))
        s->tree->on_cancel_pending(s);
}

/* Cancels `top` and all below it, except shields, scopes already pending, and what is below
 * those. */
static void propagate_cancel(struct spt_scope *top, const struct spt_scope *canceller)
{
    bool enter = true;
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, enter)) {
        enter = s == top || (!s->kind.shield && !s->cancel_pending);
        if (!enter)
            continue;
        mark_cancelled(s, canceller);
        if (s->tree->unwinding)
            return;
    }
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Returns the index of the words in the tree. If there is no room, those of another reason must
 * do. */
static uint32_t words_of(struct spt_tree *tree, const char *source, const char *reason)
{
    uint32_t i = 1, other = 1;
    for (; i < SPT_CANCEL_WORDS && tree->words[i].source; i++) {
        if (!same(tree->words[i].source, source))
            continue;
        if (same(tree->words[i].reason, reason))
            return i;
        other = i;
    }
    if (i == SPT_CANCEL_WORDS)
        return other;
    tree->words[i] = (struct spt_cancel_words){source, reason};
    return i;
}

bool spt_scope_cancel(struct spt_scope *scope, const char *source, const char *reason)
{
    if (!scope->open || spt_scope_is_cancelled(scope))
        return false;
    scope->cancel.words = words_of(scope->tree, source, reason);
    scope->cancel.seq = ++scope->tree->cancellations;
    scope->tree->on_cancel(scope);
    if (!scope->cancel_pending)
        propagate_cancel(scope, scope);
    return true;
}

bool spt_scope_cancel_tasks(struct spt_scope *scope, const char *source, const char *reason)
{
    const struct spt_link *head = &spt_scope_lists(scope)->children;
    if (!scope->open || scope->cancel.words)
        return false;
    scope->cancel.words = words_of(scope->tree, source, reason);
    for (const struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_scope *child = SPT_OF(l, struct spt_scope, sibling);
        if (child->kind.is_root)
            spt_scope_cancel(child, source, reason);
    }
    return true;
}

bool spt_scope_inherit_cancel(struct spt_scope *root)
{
    const struct spt_scope *owner = root->parent;
    bool behind =
        owner->kind.cancels_children_only && owner->cancel.words && !spt_scope_is_cancelled(owner);
    return behind && /* otherwise it inherits that from above */
           spt_scope_cancel(root, spt_scope_cancel_source(owner), spt_scope_cancel_reason(owner));
}

static void on_deadline(struct spt_timer *timer)
{
    spt_scope_cancel(&SPT_OF(timer, struct spt_block, deadline)->scope, "deadline", NULL);
}

/* Updates the deadlines in force of `top` and all below it. */
static void limit(struct spt_scope *top)
{
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, true)) {
        uint64_t around =
            s->kind.shield || !s->parent ? SPT_NEVER : s->parent->effective_deadline_ns;
        uint64_t due = spt_scope_due(s);
        s->effective_deadline_ns = due < around ? due : around;
    }
}

void spt_scope_set_deadline(struct spt_block *block, uint64_t due_ns)
{
    struct spt_timers *timers = &block->scope.tree->timers;
    block->due_ns = due_ns;
    limit(&block->scope);
    if (due_ns == SPT_NEVER)
        spt_timer_stop(timers, &block->deadline);
    else
        spt_timer_start(timers, &block->deadline, due_ns, on_deadline);
}

void spt_scope_expire(struct spt_scope *scope, uint64_t now_ns)
{
    for (struct spt_scope *s = scope; s; s = s->kind.shield ? NULL : s->parent)
        if (spt_scope_due(s) <= now_ns)
            spt_scope_cancel(s, "deadline", NULL);
}

void spt_scope_notify_empty(struct spt_scope *scope)
{
    struct spt_block *block = spt_scope_block(scope);
    void (*fire)(struct spt_scope *) = block ? block->on_empty.fire : NULL;
    if (scope->tasks.live > 0 || !fire)
        return;
    block->on_empty.fire = NULL;
    fire(scope);
}

bool spt_scope_move(struct spt_scope *root, struct spt_scope *to)
{
    struct spt_scope *from = root->parent;
    spt_link_remove(&root->sibling);
    spt_list_push(&spt_scope_lists(to)->children, &root->sibling);
    root->parent = to;
    to->tasks.live++;
    to->tasks.any = true;
    limit(root);
    if (to->cancel_pending && !root->cancel_pending)
        propagate_cancel(root, to->canceller);
    bool cancelled = spt_scope_inherit_cancel(root);
    from->tasks.live--;
    spt_scope_notify_empty(from);
    return cancelled;
}

bool spt_scope_catches_cancel(const struct spt_scope *scope)
{
    return spt_scope_is_cancelled(scope) &&
           (scope->kind.shield || !scope->parent || !scope->parent->cancel_pending);
}

const struct spt_scope *spt_scope_canceller(const struct spt_scope *scope)
{
    const struct spt_scope *outermost = NULL;
    for (;; scope = scope->parent) {
        bool cancelled = spt_scope_is_cancelled(scope);
        if (cancelled)
            outermost = scope;
        if (scope->kind.shield || spt_scope_is_hosts(scope))
            return outermost;
        if (scope->kind.is_root)
            return scope->cancel_pending && !cancelled ? scope->canceller : outermost;
    }
}

void spt_scope_add(struct spt_scope *scope, struct spt_resource *resource)
{
    assert(scope->open);
    spt_list_push(&spt_scope_lists(spt_scope_keeper(scope))->resources, &resource->link);
}

static void release_resources(const struct spt_link *resources)
{
    while (!spt_list_is_empty(resources)) {
        struct spt_link *last = resources->prev;
        spt_link_remove(last);
        struct spt_resource *r = SPT_OF(last, struct spt_resource, link);
        r->release(r);
    }
}

void spt_scope_close(struct spt_scope *scope)
{
    struct spt_tree *tree = scope->tree;
    struct spt_scope_lists *lists = spt_scope_lists(scope);
    assert(scope->open && scope->tasks.live == 0 && spt_list_is_empty(&lists->children));
    scope->open = false;
    if (spt_scope_due(scope) != SPT_NEVER) /* only a block has one */
        spt_timer_stop(&tree->timers, &SPT_OF(scope, struct spt_block, scope)->deadline);
    if (scope->kind.cancels_children_only)
        spt_trace_unpin(tree->trace, SPT_OF(scope, struct spt_block, scope)->spawn_place);
    release_resources(&lists->resources);
    spt_list_splice(&tree->unhandled, &lists->failed);
    spt_link_remove(&scope->sibling);
}
