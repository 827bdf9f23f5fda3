/* SPDX-License-Identifier: MIT */
/* Walks the tree of tasks by parent pointers, because it may be as deep as there are tasks. Which
 * tasks are left out of the lines is noted in the tasks themselves (turn.mark). */
#include "core/dump.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "core/dump_task.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/task_stack.h"
#include "septet/septet.h"

enum {
    LINE = 16384,     /* bytes of a line */
    DEPTH_SHOWN = 32, /* steps of indentation; deeper tasks have as many */
    ALIKE_SHOWN = 3,  /* tasks shown of a group */
    GROUPS = 16,      /* groups among the children of a task; the rest of them is shown */
    COLUMN = 19,      /* where the state begins, unless the name is long */
};

/* turn.mark of a task: it is shown, the first one left out of its group, or another one. */
enum { SHOWN, FIRST_LEFT_OUT, LEFT_OUT };

/* --- lines --- */

/* A walk, at the lines that it writes. */
struct walk {
    const struct spt_dump *dump;
    uint64_t now_ns;
    unsigned depth;
    uint64_t follows; /* bit i: at depth i, a line follows the present one */
    bool any;         /* a line of JSON was written */
};

/* Escapes the text and passes it on. */
static void write_line(const struct spt_dump *dump, const struct spt_text *text)
{
    char line[LINE];
    spt_escape_text(line, sizeof line, text->out, text->n);
    dump->line(dump->ud, line);
}

/* Begins a line with the branches of the tree before it. */
static void add_branches(struct spt_text *text, const struct walk *walk)
{
    unsigned depth = walk->depth < DEPTH_SHOWN ? walk->depth : DEPTH_SHOWN;
    for (unsigned i = 1; i < depth; i++)
        spt_text_add(text, "%s", walk->follows >> i & 1 ? "│  " : "   ");
    if (depth > 0)
        spt_text_add(text, "%s", walk->follows >> depth & 1 ? "├─ " : "└─ ");
}

static void write_task(const struct walk *walk, const struct spt_task *t)
{
    char out[4096];
    struct spt_text text = spt_text_new(out, sizeof out);
    unsigned depth = walk->depth < DEPTH_SHOWN ? walk->depth : DEPTH_SHOWN;
    add_branches(&text, walk);
    spt_dump_task_add(&text, t, COLUMN + 3 * (depth > 2 ? depth - 2 : 0), walk->now_ns);
    write_line(walk->dump, &text);
}

static void write_json(struct walk *walk, const struct spt_task *t)
{
    char out[LINE];
    struct spt_text text = spt_text_new(out, sizeof out);
    spt_text_add(&text, walk->any ? "," : " ");
    walk->any = true;
    spt_dump_task_add_json(&text, t, walk->now_ns);
    walk->dump->line(walk->dump->ud, out);
}

/* --- families --- */

/* Returns the next task after `at`, a scope below `top`, that is a child of the task of `top`; NULL
 * if there is none. */
static struct spt_task *child_after(const struct spt_dump *dump, const struct spt_scope *top,
                                    struct spt_scope *at, bool descend)
{
    while ((at = spt_scope_next(top, at, descend))) {
        descend = !at->kind.is_root;
        if (at->kind.is_root && (!dump->only || spt_task_of_scope(at)->spawn.account == dump->only))
            return spt_task_of_scope(at);
    }
    return NULL;
}

static struct spt_task *first_child(const struct spt_dump *dump, struct spt_scope *top)
{
    return child_after(dump, top, top, true);
}

static struct spt_task *next_child(const struct spt_dump *dump, const struct spt_scope *top,
                                   struct spt_task *t)
{
    return child_after(dump, top, &t->root, false);
}

/* --- groups --- */

/* What tasks of a group have in common. */
struct likeness {
    const void *waits_for; /* type of the operation */
    uint64_t function_place;
    uint64_t line;
    uint8_t state;
};

static struct likeness likeness_of(const struct spt_task *t)
{
    struct spt_task_stack stack = spt_task_stack_of(t);
    lua_Debug ar;
    bool waits = t->state == SPT_TASK_WAITING;
    struct likeness l = {.waits_for = waits && t->wait.op ? t->wait.op->type : NULL,
                         .function_place = spt_task_function_place(t),
                         .state = t->state};
    if (spt_task_stack_next(&stack, &ar))
        l.line = (uint64_t)spt_hash_text(ar.short_src) << 32 | (uint32_t)ar.currentline;
    return l;
}

static bool alike(const struct likeness *a, const struct likeness *b)
{
    return a->waits_for == b->waits_for && a->function_place == b->function_place &&
           a->line == b->line && a->state == b->state;
}

struct group {
    struct likeness likeness;
    struct spt_task *last_shown; /* the first of those that may be left out */
    uint64_t n;
};

/* Adds a task to its group, and leaves it out if the group is large. The one before it that could
 * still be shown is left out only together with it: no line stands for one task. */
static void join_group(struct group *group, struct spt_task *t)
{
    group->n++;
    if (group->n == ALIKE_SHOWN + 1)
        group->last_shown = t;
    if (group->n <= ALIKE_SHOWN + 1)
        return;
    group->last_shown->turn.mark = FIRST_LEFT_OUT;
    t->turn.mark = LEFT_OUT;
}

/* Marks the children of the task of `top` that are left out. */
static void mark_children(const struct spt_dump *dump, struct spt_scope *top)
{
    struct group groups[GROUPS];
    unsigned n = 0;
    if (dump->form != SEPTET_DUMP_TREE)
        return;
    for (struct spt_task *t = first_child(dump, top); t; t = next_child(dump, top, t)) {
        struct likeness l = likeness_of(t);
        unsigned i = 0;
        while (i < n && !alike(&groups[i].likeness, &l))
            i++;
        if (i == n && n < GROUPS)
            groups[n++] = (struct group){.likeness = l};
        if (i < n)
            join_group(&groups[i], t);
    }
}

static void write_left_out(const struct walk *walk, const struct spt_scope *top,
                           struct spt_task *first)
{
    char out[1024], name[SPT_DUMP_NAME], other[SPT_DUMP_NAME];
    struct spt_text text = spt_text_new(out, sizeof out);
    struct likeness l = likeness_of(first);
    bool same_name = true;
    unsigned n = 1;
    spt_inspect_short_name(first, name, sizeof name);
    for (struct spt_task *t = next_child(walk->dump, top, first); t;
         t = next_child(walk->dump, top, t)) {
        struct likeness its = t->turn.mark == LEFT_OUT ? likeness_of(t) : (struct likeness){0};
        if (t->turn.mark != LEFT_OUT || !alike(&l, &its))
            continue;
        n++;
        if (same_name)
            spt_inspect_short_name(t, other, sizeof other);
        same_name = same_name && strcmp(name, other) == 0;
    }
    add_branches(&text, walk);
    spt_text_add(&text, "… %u more", n);
    if (same_name)
        spt_text_add(&text, " \"%s\"", name);
    else
        spt_text_add(&text, " like \"%s\"", name);
    if (first->state == SPT_TASK_WAITING)
        spt_text_add(&text, " waiting on %s", spt_dump_task_wait(first));
    else
        spt_text_add(&text, ", %s", spt_dump_task_state(first));
    spt_text_add(&text, " (grouped; -a for all)");
    write_line(walk->dump, &text);
}

/* Returns true if a line is to be written for a sibling after `t`. */
static bool line_follows(const struct spt_dump *dump, const struct spt_scope *top,
                         struct spt_task *t)
{
    do {
        t = next_child(dump, top, t);
    } while (t && t->turn.mark == LEFT_OUT);
    return t != NULL;
}

/* Writes the line of a task, or that of its group. Returns true if its children are to follow. */
static bool visit(struct walk *walk, const struct spt_scope *top, struct spt_task *t)
{
    unsigned mark = t->turn.mark;
    uint64_t bit = UINT64_C(1) << (walk->depth < 63 ? walk->depth : 63);
    t->turn.mark = SHOWN;
    if (mark == LEFT_OUT)
        return false;
    if (walk->dump->form == SEPTET_DUMP_JSON) {
        write_json(walk, t);
        return true;
    }
    bool follows = walk->depth > 0 && line_follows(walk->dump, top, t);
    walk->follows = follows ? walk->follows | bit : walk->follows & ~bit;
    if (mark == FIRST_LEFT_OUT)
        write_left_out(walk, top, t);
    else
        write_task(walk, t);
    return mark == SHOWN;
}

/* Returns the scope that has `t` among its children, for child_after(). */
static struct spt_scope *family(struct spt_scope *top, const struct spt_task *t)
{
    struct spt_task *owner = spt_task_of_scope(t->root.parent);
    return owner ? &owner->root : top;
}

static void walk_below(struct walk *walk, struct spt_scope *top)
{
    const struct spt_dump *dump = walk->dump;
    struct spt_task *next;
    mark_children(dump, top);
    walk->depth = 0;
    for (struct spt_task *t = first_child(dump, top); t; t = next) {
        next = visit(walk, family(top, t), t) ? first_child(dump, &t->root) : NULL;
        if (next) {
            mark_children(dump, &t->root);
            walk->depth++;
        }
        while (t && !next) {
            next = next_child(dump, family(top, t), t);
            t = next ? t : spt_task_of_scope(t->root.parent);
            walk->depth -= !next && t;
        }
    }
}

static void walk_all(const struct spt_dump *dump)
{
    struct walk walk = {.dump = dump, .now_ns = spt_sched_clock(dump->s)};
    walk_below(&walk, &dump->s->tree.mains);
    walk_below(&walk, &dump->s->tree.background);
}

/* --- the host --- */

struct sums {
    unsigned by_state[SPT_TASK_WAITING + 1];
    unsigned live;
    const struct spt_task *busiest;
};

static void sum_below(const struct spt_dump *dump, struct spt_scope *top, uint64_t now_ns,
                      struct sums *sums)
{
    for (struct spt_scope *at = top; at; at = spt_scope_next(top, at, true)) {
        const struct spt_task *t = at->kind.is_root ? spt_task_of_scope(at) : NULL;
        if (!t || t->state > SPT_TASK_WAITING || (dump->only && t->spawn.account != dump->only))
            continue;
        sums->by_state[t->state]++;
        sums->live++;
        if (!sums->busiest ||
            spt_dump_task_busy(t, now_ns) > spt_dump_task_busy(sums->busiest, now_ns))
            sums->busiest = t;
    }
}

static void add_requests(struct spt_text *text, const struct spt_dump *dump)
{
    if (dump->only && dump->only->requests > 0)
        spt_text_add(text, "  requests %u", (unsigned)dump->only->requests);
    if (dump->in_flight + dump->queued > 0)
        spt_text_add(text, "  in-flight %u  queued %u", dump->in_flight, dump->queued);
}

static void write_head(const struct spt_dump *dump, const struct sums *sums, uint64_t now_ns)
{
    struct spt_sched *s = dump->s;
    char out[1024];
    struct spt_text text = spt_text_new(out, sizeof out);
    const unsigned *n = sums->by_state;
    int kb = lua_gc(s->main, LUA_GCCOUNT);
    uint64_t up_ns = now_ns - s->run.t_start_ns;
    spt_text_add(&text, "septet");
    if (!dump->only)
        spt_text_add(&text, " %d", (int)getpid());
    if (dump->title)
        spt_text_add(&text, " %.256s", dump->title);
    spt_text_add(&text, "  up %.1fs  tasks %u (%u run, %u ready, %u wait)", spt_time_seconds(up_ns),
                 sums->live, n[SPT_TASK_RUNNING], n[SPT_TASK_NEW] + n[SPT_TASK_READY],
                 n[SPT_TASK_WAITING]);
    add_requests(&text, dump);
    if (kb >= 0) /* else the collector is at work */
        spt_text_add(&text, "  lua %.1f MB", kb * 1024 / 1e6);
    write_line(dump, &text);
}

static void write_busiest(const struct spt_dump *dump, const struct spt_task *t, uint64_t now_ns)
{
    char out[2048], name[SPT_DUMP_NAME], place[SPT_PLACE_SIZE];
    struct spt_text text = spt_text_new(out, sizeof out);
    if (!t || spt_dump_task_busy(t, now_ns) < SPT_NS_PER_MS)
        return;
    spt_inspect_short_name(t, name, sizeof name);
    spt_text_add(&text, "top busy: #%u %s ", t->id, name);
    spt_dump_task_add_seconds(&text, spt_dump_task_busy(t, now_ns));
    spt_text_add(&text, " (%u resume%s, max slice %.1fms", t->turn.count,
                 t->turn.count == 1 ? "" : "s",
                 (double)spt_dump_task_longest(t, now_ns) / SPT_NS_PER_MS);
    if (spt_dump_task_longest(t, now_ns) != spt_task_times(t)->longest_ns) {
        spt_text_add(&text, ", running now");
    } else if (spt_task_times(t)->longest_place) {
        spt_inspect_write_place(&dump->s->trace, spt_task_times(t)->longest_place, place,
                                sizeof place);
        spt_text_add(&text, " at %s", place);
    }
    spt_text_add(&text, ")");
    write_line(dump, &text);
}

/* Writes one line: what runs, or what the first main task does. */
static void write_where(const struct spt_dump *dump)
{
    char out[4096], name[SPT_DUMP_NAME], detail[SPT_DUMP_DETAIL];
    struct spt_text text = spt_text_new(out, sizeof out);
    const struct spt_task *t = dump->s->current;
    if (!t)
        t = first_child(dump, &dump->s->tree.mains);
    if (!t)
        return;
    spt_inspect_short_name(t, name, sizeof name);
    spt_dump_task_detail(t, detail);
    spt_text_add(&text, "task #%u '%s' ", t->id, name);
    if (t->state == SPT_TASK_WAITING)
        spt_text_add(&text, "waited for %s%s%s", spt_dump_task_wait(t), *detail ? " " : "", detail);
    else
        spt_text_add(&text, t->state == SPT_TASK_RUNNING ? "ran" : "was ready to run");
    spt_text_add(&text, ", at ");
    spt_dump_task_add_place(&text, t);
    write_line(dump, &text);
}

void spt_dump_write_tasks(const struct spt_dump *dump)
{
    walk_all(dump);
}

void spt_dump_write(const struct spt_dump *dump)
{
    struct sums sums = {0};
    uint64_t now_ns = spt_sched_clock(dump->s);
    if (dump->form == SEPTET_DUMP_WHERE) {
        write_where(dump);
        return;
    }
    if (dump->form == SEPTET_DUMP_JSON) {
        dump->line(dump->ud, "[");
        walk_all(dump);
        dump->line(dump->ud, "]");
        return;
    }
    sum_below(dump, &dump->s->tree.mains, now_ns, &sums);
    sum_below(dump, &dump->s->tree.background, now_ns, &sums);
    write_head(dump, &sums, now_ns);
    walk_all(dump);
    write_busiest(dump, sums.busiest, now_ns);
}
