/* SPDX-License-Identifier: MIT */
/* Scopes: the tree that owns tasks. A task belongs to the innermost open scope of the task that
 * spawned it. No scope closes while its tasks live. Cancellation and deadlines are properties of
 * scopes; a task is cancelled through its root scope.
 *
 * Scopes know no Lua. Lua values that belong to them, such as a script's reason, are kept by the
 * layers above. */
#ifndef SPT_CORE_SCOPE_H
#define SPT_CORE_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/timer.h"

struct spt_room;
struct spt_task;
struct spt_scope;
struct spt_trace;
struct spt_tree;

/* What a scope is, set when it is opened. The host's own scopes are neither root nor block. */
struct spt_scope_kind {
    bool is_root : 1;            /* the outermost scope of a task */
    bool is_block : 1;           /* part of a spt_block */
    bool shield : 1;             /* cancellation from above stops here */
    bool cancels_on_failure : 1; /* a group: a failing child cancels the others */
    /* a script's cancel() reaches its tasks only, because its body could not swallow Cancelled */
    bool cancels_children_only : 1;
    /* of background tasks that are cancelled after their script's last main task */
    bool ends_with_mains : 1;
};

/* The tasks with their root among the scope's children. */
struct spt_scope_tasks {
    uint32_t live : 29;
    uint32_t any : 1;       /* a task was ever spawned in it */
    uint32_t cancelled : 1; /* one of its tasks ended cancelled */
    /* its last task has ended; the task that waited for that will close it */
    uint32_t joined : 1;
};

/* What the host says of a cancellation. Few differ, so that a scope has the index of one in
 * its tree. */
struct spt_cancel_words {
    const char *source; /* "cancel", "deadline", "sibling", "owner", "shutdown"; static */
    const char *reason; /* the host's text for the reason, static; NULL if none */
};

enum { SPT_CANCEL_WORDS = 64 };

/* The cancellation of a scope itself, the first if there were several. */
struct spt_cancellation {
    uint64_t seq;          /* its number among all of the host; 0: not cancelled */
    uint32_t by;           /* id of the task that cancelled it; 0: the host */
    uint32_t refused : 24; /* number of waits of its task in it that raised Cancelled */
    uint32_t words : 6;    /* index of its source and reason in the tree; 0: none */
    uint32_t worded : 1;   /* the reason is a script's, kept by core/reason.c */
    uint32_t expected : 1; /* by the embedder: a main task that ends for it has not failed */
};

/* Notified when the scope has no live task; cleared before. */
struct spt_empty_watch {
    void (*fire)(struct spt_scope *); /* NULL if no task waits for that */
    void *waiter;                     /* for the function in `fire` */
};

/* What belongs to a scope. It lies behind the scope in the same struct. */
struct spt_scope_lists {
    struct spt_link children; /* scopes: the roots of its tasks, and the block opened in it */
    /* its failed tasks that are not observed yet, oldest first (task.link) */
    struct spt_link failed;
    struct spt_link resources; /* spt_resource, in order of acquisition */
};

/* Stands for the lists of a scope that has none. */
extern const struct spt_scope_lists spt_scope_no_lists;

struct spt_scope {
    /* read by each wait */
    /* earliest of its own deadline and those around it, up to a shield */
    uint64_t effective_deadline_ns;
    bool cancel_pending; /* cancelled, or below a cancelled scope with no shield between */
    bool open;           /* between init and close */
    struct spt_scope_kind kind;
    uint8_t lists_at; /* distance to its lists, in bytes; 0: it has none, and is not to have any */
    struct spt_scope_tasks tasks;
    struct spt_tree *tree;
    struct spt_scope *parent; /* borrowed; NULL for the host's own scopes */
    struct spt_link sibling;  /* link in the children of `parent` */
    /* while cancel_pending: the scope that was cancelled first */
    const struct spt_scope *canceller;
    struct spt_cancellation cancel;
};

/* The tree of a host's scopes, with what all of them share. */
struct spt_tree {
    struct spt_timers timers;
    struct spt_trace *trace;   /* borrowed */
    struct spt_link unhandled; /* failed tasks to report, as their scopes have closed */
    uint64_t cancellations;    /* number of scopes cancelled so far */
    /* by index, none at 0; found by their text */
    struct spt_cancel_words words[SPT_CANCEL_WORDS];
    /* the host ends, and reaches each task by itself: a cancellation marks only its own scope */
    bool unwinding;
    struct spt_scope mains;      /* owns the main tasks */
    struct spt_scope background; /* owns background tasks; cancelled after the last main task */
    struct spt_scope_lists mains_lists, background_lists;
    struct spt_link scripts; /* spt_script: their scopes are below `mains` */
    /* called for a scope that is cancelled, before any task learns of it; sets cancel.by */
    void (*on_cancel)(struct spt_scope *scope);
    /* called for each scope of a task that is now cancel pending */
    void (*on_cancel_pending)(struct spt_scope *scope);
};

/* A resource that a scope releases when it closes, last first. */
struct spt_resource {
    struct spt_link link;
    void (*release)(struct spt_resource *);
};

/* What a block returns once its body has returned, if nothing but the block has to end. */
enum spt_block_leave {
    SPT_BLOCK_BY_LUA /* a function in Lua says */,
    SPT_BLOCK_RESULTS,
    SPT_BLOCK_IN_TIME /* true, and the results */
};

/* The scope of a block in a script. Only blocks have deadlines of their own, which keeps a waiting
 * task smaller. */
struct spt_block {
    struct spt_scope scope;
    struct spt_scope_lists lists;
    struct spt_task *task; /* borrowed; the task that runs in it */
    struct spt_timer deadline;
    uint64_t due_ns; /* its own deadline; SPT_NEVER if none */
    struct spt_empty_watch on_empty;
    uint64_t spawn_place; /* spt_trace_place of the line that opened it; 0: not recorded */
    uint32_t owner;       /* id of the task that opened it, the only one that may end it */
    bool unwound; /* ended on behalf of a coroutine that died, or of a body that left it open */
    enum spt_block_leave leave;
    /* blocks with tasks that are to move here; each counts as one task of this block */
    struct spt_link starts;
    struct spt_link start;  /* link in `starts` of `into` */
    struct spt_block *into; /* the block to which its task is to move; NULL if none */
    /* a resource of this block; its release ends the count in `into` */
    struct spt_resource start_over;
    struct spt_room *room; /* a pool's, of op/block_spawn.c; NULL: any number of tasks */
};

/* Opens the host's own scopes. The caller sets the tree's callbacks and its trace. */
void spt_scope_init_tree(struct spt_tree *tree);

/* Opens the root of a task, a block or a scope of the host's below `parent`, which is borrowed.
 * `lists` may be NULL: see spt_scope_keeper(). The caller has set the task and the `due_ns` of a
 * block. */
void spt_scope_open(struct spt_scope *scope, struct spt_scope_lists *lists,
                    struct spt_scope_kind kind, struct spt_scope *parent);

static inline struct spt_scope_lists *spt_scope_lists(const struct spt_scope *scope)
{
    return scope->lists_at ? (struct spt_scope_lists *)((char *)scope + scope->lists_at)
                           : (struct spt_scope_lists *)&spt_scope_no_lists;
}

/* Returns the scope to which belongs what is spawned or acquired in `scope`: the one around it, if
 * it has no lists. Only a finalizer does so there. */
static inline struct spt_scope *spt_scope_keeper(struct spt_scope *scope)
{
    return scope->lists_at ? scope : scope->parent;
}

/* Returns true if no task runs in the scope. */
static inline bool spt_scope_is_hosts(const struct spt_scope *scope)
{
    return !scope->kind.is_root && !scope->kind.is_block;
}

/* Resets one of the host's own scopes for further tasks, once it was cancelled and is empty. */
void spt_scope_renew(struct spt_scope *scope);

/* Returns the scope after `s` in a walk of the tree below `top`, in the order of spawning, or NULL
 * at the end. Enters the children of `s` only if `descend`. Climbs by parent pointers: a chain of a
 * million spawns must not recurse. */
struct spt_scope *spt_scope_next(const struct spt_scope *top, struct spt_scope *s, bool descend);

/* Cancels the scope and all below it. Each task that waits in an operation becomes ready to raise
 * Cancelled, in the order of spawning. A task that already has its result keeps it. `source` and
 * `reason` are static; `reason` may be NULL. Returns false if the scope was cancelled before: the
 * first reason is kept. */
bool spt_scope_cancel(struct spt_scope *scope, const char *source, const char *reason);

/* Like spt_scope_cancel(), but cancels only the tasks, later ones included, of a scope that
 * `cancels_children_only`, and not its body. */
bool spt_scope_cancel_tasks(struct spt_scope *scope, const char *source, const char *reason);

/* Cancels the root of a task that joined a scope after spt_scope_cancel_tasks(). Returns true if it
 * did. */
bool spt_scope_inherit_cancel(struct spt_scope *root);

/* Sets the block's deadline, in place of an earlier one. SPT_NEVER removes it. */
void spt_scope_set_deadline(struct spt_block *block, uint64_t due_ns);

/* Cancels each scope from `scope` up to a shield if its deadline has passed at `now_ns`. A task
 * that computed past its deadline is thus cancelled at its next wait, not a pass later. */
void spt_scope_expire(struct spt_scope *scope, uint64_t now_ns);

/* Returns the block that `scope` is part of. NULL for the root of a task and for the host's own
 * scopes. */
static inline struct spt_block *spt_scope_block(const struct spt_scope *scope)
{
    return scope->kind.is_block ? SPT_OF(scope, struct spt_block, scope) : NULL;
}

/* Returns the scope's own deadline, or SPT_NEVER. */
static inline uint64_t spt_scope_due(const struct spt_scope *scope)
{
    return scope->kind.is_block ? SPT_OF(scope, struct spt_block, scope)->due_ns : SPT_NEVER;
}

/* Returns what cancelled the scope itself, or its tasks only; NULL if nothing did. */
static inline const char *spt_scope_cancel_source(const struct spt_scope *scope)
{
    return scope->tree->words[scope->cancel.words].source;
}

/* Returns the host's text for the reason, or NULL. */
static inline const char *spt_scope_cancel_reason(const struct spt_scope *scope)
{
    return scope->tree->words[scope->cancel.words].reason;
}

/* Returns true if the scope itself was cancelled. */
static inline bool spt_scope_is_cancelled(const struct spt_scope *scope)
{
    return scope->cancel.seq != 0;
}

/* Moves a live task, given by its root, to another scope. It then has that scope's cancellation and
 * deadline. Returns true if the root was cancelled for that (spt_scope_inherit_cancel()). */
bool spt_scope_move(struct spt_scope *root, struct spt_scope *to);

/* Calls the on_empty of a block, and clears it, if it is set and the scope has no live task. */
void spt_scope_notify_empty(struct spt_scope *scope);

/* Returns true if the scope, at its exit, swallows the Cancelled that unwinds it. */
bool spt_scope_catches_cancel(const struct spt_scope *scope);

/* Closes an empty scope: unlinks it, stops its deadline and releases its resources. Failures that
 * were not observed are queued for the scheduler to report. */
void spt_scope_close(struct spt_scope *scope);

void spt_scope_add(struct spt_scope *scope, struct spt_resource *resource);

/* Returns the scope with the cancellation that a wait in `scope` raises, or NULL. A cancellation
 * that reached the task from outside comes first, then the outermost of its task, because unwinding
 * goes that far. */
const struct spt_scope *spt_scope_canceller(const struct spt_scope *scope);

#endif
