/* SPDX-License-Identifier: MIT */
/* Walks the tasks and the dependencies of their waits with explicit stacks, because a chain of
 * waits may be as long as there are tasks. Each walk enters a task once and sees a dependency
 * once. */
#include "core/deadlock.h"

#include <stdbool.h>
#include <stdlib.h>

#include "core/inspect.h"
#include "core/sched.h"
#include "core/task.h"

enum { UNSEEN, ON_PATH, DONE }; /* turn.mark */

/* A step of a walk: to enter a task, or to leave one that is ON_PATH. The steps that leave are the
 * path, deepest last. */
struct step {
    struct spt_task *task;
    bool leave;
};

struct walk {
    struct step *steps; /* owned */
    uint32_t n, room;
    struct spt_task *to;    /* the task looked for; NULL: any that is met on the path again */
    struct spt_task *again; /* the task found; NULL if none */
    bool failed;            /* out of memory */
};

static void push(struct walk *walk, struct spt_task *t, bool leave)
{
    if (walk->n == walk->room) {
        uint32_t room = walk->room ? walk->room * 2 : 64;
        struct step *steps = realloc(walk->steps, room * sizeof *steps);
        if (!steps) {
            walk->failed = true;
            return;
        }
        walk->steps = steps;
        walk->room = room;
    }
    walk->steps[walk->n++] = (struct step){.task = t, .leave = leave};
}

static void visit(void *ud, void *task)
{
    struct walk *walk = ud;
    struct spt_task *t = task;
    if (walk->to ? t == walk->to : t->turn.mark == ON_PATH)
        walk->again = t;
    else if (t->turn.mark == UNSEEN && !spt_task_ended(t))
        push(walk, t, false);
}

static void enter(struct walk *walk, struct spt_task *t)
{
    if (t->turn.mark != UNSEEN)
        return;
    t->turn.mark = ON_PATH;
    push(walk, t, true);
    spt_inspect_blockers(t, visit, walk);
}

static void walk_from(struct walk *walk, struct spt_task *t)
{
    push(walk, t, false);
    while (walk->n > 0 && !walk->again && !walk->failed) {
        struct step step = walk->steps[--walk->n];
        if (step.leave)
            step.task->turn.mark = DONE;
        else
            enter(walk, step.task);
    }
}

/* Writes at most `max` tasks of the path from `first` to its end. Returns its length. */
static uint32_t path_from(const struct walk *walk, const struct spt_task *first,
                          struct spt_task **out, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < walk->n; i++) {
        const struct step *step = &walk->steps[i];
        if (!step->leave || (n == 0 && step->task != first))
            continue;
        if (n < max)
            out[n] = step->task;
        n++;
    }
    return n;
}

static struct spt_task *task_of(struct spt_scope *scope)
{
    return scope->kind.is_root ? spt_task_of_scope(scope) : NULL;
}

static void clear(struct spt_scope *top)
{
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, true))
        if (task_of(s))
            task_of(s)->turn.mark = UNSEEN;
}

static void walk_below(struct walk *walk, struct spt_scope *top)
{
    for (struct spt_scope *s = top; s && !walk->again; s = spt_scope_next(top, s, true))
        if (task_of(s))
            walk_from(walk, task_of(s));
}

uint32_t spt_deadlock_cycle(struct spt_sched *s, struct spt_task **out, uint32_t max)
{
    struct walk w = {0};
    clear(&s->tree.mains);
    clear(&s->tree.background);
    walk_below(&w, &s->tree.mains);
    walk_below(&w, &s->tree.background);
    uint32_t n = w.again && !w.failed ? path_from(&w, w.again, out, max) : 0;
    free(w.steps);
    clear(&s->tree.mains);
    clear(&s->tree.background);
    return n;
}

uint32_t spt_deadlock_path(struct spt_task *from, struct spt_task *to, struct spt_task **out,
                           uint32_t max)
{
    struct spt_sched *s = from->sched;
    struct walk w = {.to = to};
    clear(&s->tree.mains);
    clear(&s->tree.background);
    walk_from(&w, from);
    uint32_t n = w.again && !w.failed ? path_from(&w, from, out, max) : 0;
    free(w.steps);
    clear(&s->tree.mains);
    clear(&s->tree.background);
    return n;
}

/* --- circles through the end of a combinator --- */

/* A set of tasks, each marked while it is in the set. */
struct set {
    struct spt_task **tasks; /* owned */
    uint32_t n, room;
    bool failed; /* out of memory */
};

static void add(void *ud, void *task)
{
    struct set *set = ud;
    struct spt_task *t = task;
    if (t->turn.mark != UNSEEN || spt_task_ended(t) || set->failed)
        return;
    if (set->n == set->room) {
        uint32_t room = set->room ? set->room * 2 : 16;
        struct spt_task **tasks = realloc(set->tasks, room * sizeof(struct spt_task *));
        if (!tasks) {
            set->failed = true;
            return;
        }
        set->tasks = tasks;
        set->room = room;
    }
    t->turn.mark = DONE;
    set->tasks[set->n++] = t;
}

static void empty(struct set *set)
{
    while (set->n > 0)
        set->tasks[--set->n]->turn.mark = UNSEEN;
}

/* Adds `from` and all tasks that it waits for, directly or indirectly. Returns true if `target` is
 * among them. Passes over tasks that are in the set already. */
static bool reach(struct set *set, struct spt_task *from, const struct spt_task *target)
{
    uint32_t i = set->n;
    for (add(set, from); i < set->n && !set->failed; i++) {
        if (set->tasks[i] == target)
            return true;
        spt_inspect_blockers(set->tasks[i], add, set);
    }
    return false;
}

/* Gives up the members of `wait` that wait for `t`, which itself waits for the task of `wait`. */
static void give_up_circular(struct spt_acyclic_wait *wait, struct spt_task *t)
{
    struct set members = {0}, seen = {0};
    spt_inspect_blockers(wait->task, add, &members);
    uint32_t n = members.n;
    for (uint32_t i = 0; i < n; i++) /* they stay in the array; the search needs the marks */
        members.tasks[i]->turn.mark = UNSEEN;
    for (uint32_t i = 0; i < n && t->state == SPT_TASK_WAITING && !seen.failed; i++) {
        if (!reach(&seen, members.tasks[i], t))
            continue; /* nor does any task seen on the way */
        empty(&seen);
        wait->give_up(wait, members.tasks[i]);
        if (spt_link_alone(&wait->link))
            break;
    }
    empty(&seen);
    free(members.tasks);
    free(seen.tasks);
}

void spt_deadlock_break(struct spt_task *t)
{
    struct spt_link *head = &t->sched->queues.acyclic_waits, reached;
    struct set seen = {0};
    spt_link_init(&reached);
    reach(&seen, t, NULL);
    for (struct spt_link *l = head->next, *next; l != head; l = next) {
        next = l->next;
        if (SPT_OF(l, struct spt_acyclic_wait, link)->task->turn.mark == UNSEEN)
            continue;
        spt_link_remove(l);
        spt_list_push(&reached, l);
    }
    empty(&seen);
    free(seen.tasks);
    while (!spt_list_is_empty(&reached)) {
        struct spt_link *l = reached.next;
        spt_link_remove(l);
        spt_list_push(head, l);
        give_up_circular(SPT_OF(l, struct spt_acyclic_wait, link), t);
    }
}
