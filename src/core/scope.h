/* Scopes: the tree that owns tasks. A task belongs to the innermost open scope of the task that
 * spawned it, and no scope closes while tasks of it live. Cancellation and deadlines are properties
 * of scopes; a task is cancelled by cancelling its root.
 *
 * Scopes know no Lua: what a Lua value is needed for (a script's own reason) is kept by those
 * above. */
#ifndef SPT_CORE_SCOPE_H
#define SPT_CORE_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/timer.h"

struct spt_task;
struct spt_sched;

struct spt_scope {
    /* what each wait asks for */
    /* the deadline in force: its own or one around it, up to a shield */
    uint64_t effective_deadline_ns;
    uint64_t due_ns;         /* its own deadline, SPT_NEVER for none; a block's */
    bool cancel_pending;     /* cancelled, or below one that is with no shield between */
    bool cancelled;          /* cancelled itself */
    bool shield;             /* cancellation from above stops here */
    bool open;               /* between init and close */
    bool cancels_on_failure; /* a group: a failing child cancels the others */
    /* a script's cancel is for its tasks: its body could not swallow it */
    bool cancels_children_only;
    bool had_tasks;       /* a task was ever spawned in it */
    bool child_cancelled; /* a task of it ended cancelled */
    bool worded;          /* the reason is a script's, kept by core/reason.c */
    bool joined;          /* its last task has ended, and who waited for that will close it */
    uint32_t ntasks;      /* live tasks whose root is a child */
    struct spt_sched *sched;
    struct spt_scope *parent; /* NULL: the host's own scopes */
    struct spt_task *task;    /* whose code runs in it; NULL: the host's own */
    struct spt_link sibling;  /* in parent->children */
    /* scopes: roots of the tasks spawned in it, and the block opened in it */
    struct spt_link children;
    /* tasks that failed here, seen by nobody yet, oldest first (task.link) */
    struct spt_link failed;
    struct spt_link resources;         /* spt_resource, in order of acquisition */
    const struct spt_scope *canceller; /* while effective: whose cancellation came first */
    const char *source;  /* why: "cancel", "deadline", "sibling", "owner", "shutdown"; static */
    uint64_t cancel_seq; /* its cancellation, of all in the host; 0: not cancelled */
    uint32_t by;         /* id of the task that cancelled; 0: the host */
    uint32_t refused; /* waits that its task began in it, or stayed in, and that raised Cancelled */
    void (*on_empty)(struct spt_scope *); /* set while someone waits for ntasks == 0; cleared before
                                             the call */
    void *waiter;                         /* free for who set on_empty */
    const char *reason;                   /* the host's words for it, static; NULL: none */
};

/* Something a scope gives back when it closes, last first. */
struct spt_resource {
    struct spt_link link;
    void (*release)(struct spt_resource *);
};

/* The scope of a block in a script. Only these have deadlines of their own: a waiting task is that
 * much smaller. */
struct spt_block {
    struct spt_scope scope;
    struct spt_timer deadline;
    uint64_t spawn_place; /* spt_place of the line that opened it; 0: not noted */
    uint32_t owner;       /* id of the task that opened it, which alone may end it */
    bool unwound; /* ended in place of a coroutine that died, or of a body that left it open */
    /* blocks whose tasks are to move here; each counts as a task of this one */
    struct spt_link starts;
    struct spt_link start;          /* in `starts` of `into` */
    struct spt_block *into;         /* the block that its task is to move to; NULL: none */
    struct spt_resource start_over; /* one of its own: it counts no longer there */
};

/* Opens a scope below `parent` (NULL: at the top). `task` runs in it; both are borrowed. */
void spt_scope_init(struct spt_scope *scope, struct spt_sched *sched, struct spt_scope *parent,
                    struct spt_task *task);

/* The scope after `s` in a walk of the tree below `top` in the order of spawning, into the children
 * of `s` only if `descend`; NULL at the end. It climbs by parent pointers: a chain of a million
 * spawns must not recurse. */
struct spt_scope *spt_scope_next(const struct spt_scope *top, struct spt_scope *s, bool descend);

/* Cancels the scope and all below it: each task that waits in an operation is made ready to raise
 * Cancelled, in the order they were spawned; one whose result is there already keeps it. `source`
 * and `reason` are static; the latter may be NULL. Returns false when it was cancelled before: the
 * first reason wins. */
bool spt_scope_cancel(struct spt_scope *scope, const char *source, const char *reason);

/* The same for the tasks of a scope with `tasks_only`, those to come included, and not for its
 * body. */
bool spt_scope_cancel_tasks(struct spt_scope *scope, const char *source, const char *reason);

/* Cancels the root of a task that came to such a scope when it had been cancelled. Returns true if
 * it did. */
bool spt_scope_inherit_cancel(struct spt_scope *root);

/* Arms the block's deadline, anew; SPT_NEVER disarms it. */
void spt_block_deadline(struct spt_block *block, uint64_t due_ns);

/* Cancels each scope from `scope` up to a shield whose deadline has passed at `now_ns`: a task that
 * computed past it learns of it at its next wait, not a lap later. */
void spt_scope_expire(struct spt_scope *scope, uint64_t now_ns);

/* Keeps cancellation and deadlines from outside out of a scope just opened. */
void spt_scope_shield(struct spt_scope *scope);

/* Returns the block that `scope` is part of; NULL for the root of a task and for the host's own
 * scopes. */
struct spt_block *spt_scope_block(const struct spt_scope *scope);

/* Gives a live task, by its root, to another scope, whose cancellation and deadline it then has.
 * Returns true if the root was cancelled for that (spt_scope_inherit_cancel). */
bool spt_scope_move(struct spt_scope *root, struct spt_scope *to);

/* Calls on_empty, if somebody waits for the last task and it is gone. */
void spt_scope_tell_empty(struct spt_scope *scope);

/* Would the scope, at its exit, swallow the Cancelled that unwinds it? */
bool spt_scope_catches_cancel(const struct spt_scope *scope);

/* Closes an empty scope: unlinks it, disarms it, releases its resources, and hands the failures
 * that nobody saw to the scheduler to be reported. */
void spt_scope_close(struct spt_scope *scope);

void spt_scope_add(struct spt_scope *scope, struct spt_resource *resource);

/* Whose cancellation a wait in `scope` raises: the outermost's of its task, since what unwinds goes
 * that far, and before these the one that reached the task from outside. NULL if none did. */
const struct spt_scope *spt_scope_canceller(const struct spt_scope *scope);

#endif
