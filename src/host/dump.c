/* SPDX-License-Identifier: MIT */
/* Walks the tree of tasks by parent pointers, because it may be as deep as there are tasks. */
#include "host/dump.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "core/function_names.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "host/state.h"

enum { DEPTH_SHOWN = 32 }; /* steps of indentation; deeper tasks have as many */

/* Returns the coroutine in which the task waits or runs; NULL if it has not begun or has ended. */
static lua_State *innermost(const struct spt_task *t)
{
    if (t->co && t->state == SPT_TASK_WAITING && t->wait.op)
        return t->wait.co;
    return t->co && t->state == SPT_TASK_RUNNING ? spt_task_innermost(t) : t->co;
}

/* Writes what the task does: "waits for sleep 1 s". */
static void write_doing(const struct spt_task *t, char *out, size_t size)
{
    char what[512];
    spt_inspect_waits_for(t, what, sizeof what);
    if (*what)
        snprintf(out, size, "waits for %s", what);
    else
        snprintf(out, size, "%s",
                 t->state == SPT_TASK_NEW       ? "has not begun"
                 : t->state == SPT_TASK_RUNNING ? "runs"
                                                : "is ready");
}

/* Writes the innermost line of a script: "  file:line", or "". */
static void write_line(const struct spt_task *t, char *out, size_t size)
{
    lua_State *co = innermost(t);
    lua_Debug ar;
    *out = '\0';
    for (int level = 0; co && lua_getstack(co, level, &ar); level++) {
        lua_getinfo(co, "Sl", &ar);
        if (spt_function_names_is_script(&ar)) {
            snprintf(out, size, "  %s:%d", ar.short_src, ar.currentline);
            return;
        }
    }
}

void spt_dump_task(const struct spt_task *t, unsigned depth, char out[SPT_DUMP_LINE])
{
    char name[128], doing[540], at[128], line[1024];
    int indent = 2 * (int)(depth < DEPTH_SHOWN ? depth : DEPTH_SHOWN);
    spt_inspect_name(t, name, sizeof name);
    write_doing(t, doing, sizeof doing);
    write_line(t, at, sizeof at);
    snprintf(line, sizeof line, "%*s#%u %s  %s%s", indent, "", t->id, name, doing, at);
    spt_escape_text(out, SPT_DUMP_LINE, line, strlen(line));
}

/* Returns the scope after `s` in a walk below `top`, and updates the number of tasks above it. */
static struct spt_scope *next(const struct spt_scope *top, struct spt_scope *s, unsigned *depth)
{
    if (!spt_list_is_empty(&s->children)) {
        *depth += s->kind.is_root;
        return SPT_OF(s->children.next, struct spt_scope, sibling);
    }
    while (s != top && s->sibling.next == &s->parent->children) {
        s = s->parent;
        *depth -= s->kind.is_root;
    }
    return s == top ? NULL : SPT_OF(s->sibling.next, struct spt_scope, sibling);
}

static void dump_below(struct spt_scope *top, void (*line)(void *ud, const char *text), void *ud)
{
    char text[SPT_DUMP_LINE];
    unsigned depth = 0;
    for (struct spt_scope *s = top; s; s = next(top, s, &depth)) {
        if (!s->kind.is_root)
            continue;
        spt_dump_task(s->task, depth, text);
        line(ud, text);
    }
}

void septet_dump(septet_host *host, void (*line)(void *ud, const char *text), void *ud)
{
    struct spt_sched *s = spt_host_sched(host);
    host->callbacks.running++;
    dump_below(&s->tree.mains, line, ud);
    dump_below(&s->tree.background, line, ud);
    host->callbacks.running--;
}
