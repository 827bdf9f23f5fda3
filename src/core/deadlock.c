/* A walk in depth over the tasks and what their waits depend on, on a stack of its own: a chain of waits may
 * be as long as there are tasks. Each task is entered once and each dependency seen once. */
#include "core/deadlock.h"

#include <stdbool.h>
#include <stdlib.h>

#include "core/sched.h"
#include "core/task.h"

enum { UNSEEN, ON_PATH, DONE }; /* task.mark */

/* To enter a task, or, where it is ON_PATH, to leave it: those are the path, deepest last. */
struct step {
    struct spt_task *task;
    bool leave;
};

struct walk {
    struct step *steps; /* owned */
    uint32_t n, room;
    struct spt_task *again; /* a task that was met on the path: it closes a circle */
    bool failed;            /* out of memory */
};

static void push(struct walk *w, struct spt_task *t, bool leave)
{
    if (w->n == w->room) {
        uint32_t room = w->room ? w->room * 2 : 64;
        struct step *steps = realloc(w->steps, room * sizeof *steps);
        if (!steps) {
            w->failed = true;
            return;
        }
        w->steps = steps;
        w->room = room;
    }
    w->steps[w->n++] = (struct step){.task = t, .leave = leave};
}

static void visit(void *ud, void *task)
{
    struct walk *w = ud;
    struct spt_task *t = task;
    if (t->mark == ON_PATH)
        w->again = t;
    else if (t->mark == UNSEEN && !spt_task_ended(t))
        push(w, t, false);
}

static void enter(struct walk *w, struct spt_task *t)
{
    if (t->mark != UNSEEN)
        return;
    t->mark = ON_PATH;
    push(w, t, true);
    spt_task_blockers(t, visit, w);
}

static void walk_from(struct walk *w, struct spt_task *t)
{
    push(w, t, false);
    while (w->n > 0 && !w->again && !w->failed) {
        struct step step = w->steps[--w->n];
        if (step.leave)
            step.task->mark = DONE;
        else
            enter(w, step.task);
    }
}

/* The path from the task that was met again to its end. */
static uint32_t circle(const struct walk *w, struct spt_task **out, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        const struct step *step = &w->steps[i];
        if (!step->leave || (n == 0 && step->task != w->again))
            continue;
        if (n < max)
            out[n] = step->task;
        n++;
    }
    return n;
}

static struct spt_task *task_of(struct spt_scope *scope)
{
    return scope->task && scope == &scope->task->root ? scope->task : NULL;
}

static void clear(struct spt_scope *top)
{
    for (struct spt_scope *s = top; s; s = spt_scope_next(top, s, true))
        if (task_of(s))
            s->task->mark = UNSEEN;
}

static void walk_below(struct walk *w, struct spt_scope *top)
{
    for (struct spt_scope *s = top; s && !w->again; s = spt_scope_next(top, s, true))
        if (task_of(s))
            walk_from(w, s->task);
}

uint32_t spt_deadlock_cycle(struct spt_sched *s, struct spt_task **out, uint32_t max)
{
    struct walk w = {0};
    clear(&s->mains);
    clear(&s->background);
    walk_below(&w, &s->mains);
    walk_below(&w, &s->background);
    uint32_t n = w.again && !w.failed ? circle(&w, out, max) : 0;
    free(w.steps);
    return n;
}
