/* SPDX-License-Identifier: MIT */
/* Cuts texts to the size of the buffer, and escapes them for a terminal. */
#include "core/inspect.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/time.h"
#include "core/function_names.h"
#include "core/item_name.h"
#include "core/sched.h"
#include "core/task.h"

void spt_inspect_write_place(const struct spt_trace *trace, uint64_t place, char *out, size_t size)
{
    const char *source = spt_trace_string(trace, (uint32_t)(place >> 32));
    size_t n = spt_escape_text(out, size, source, strlen(source));
    if ((uint32_t)place > 0)
        snprintf(out + n, size - n, ":%d", (int)(uint32_t)place);
}

void spt_inspect_push_site(lua_State *L, const struct spt_task *t)
{
    if (t->spawn.place == 0) {
        lua_pushliteral(L, "");
        return;
    }
    char place[SPT_PLACE_SIZE];
    spt_inspect_write_place(&t->sched->trace, t->spawn.place, place, sizeof place);
    lua_pushfstring(L, "\n\tspawned at %s by #%d", place, (int)t->numbers.parent);
}

static uint64_t place_of(struct spt_sched *s, const lua_Debug *ar, int line)
{
    return spt_trace_place(spt_trace_intern(&s->trace, ar->short_src), line);
}

uint64_t spt_inspect_function_place(lua_State *L, struct spt_sched *s, int index)
{
    lua_Debug ar;
    lua_pushvalue(L, index);
    lua_getinfo(L, ">S", &ar);
    return place_of(s, &ar, ar.linedefined);
}

uint64_t spt_inspect_place(lua_State *L, struct spt_sched *s, int level)
{
    lua_Debug ar;
    for (; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (spt_function_names_is_script(&ar))
            return place_of(s, &ar, ar.currentline);
    }
    return 0;
}

/* --- names --- */

/* Writes the name that an item makes: itself, or "file:line(item)" for a number. The item is on top
 * of the stack. Returns false if it makes none. */
static bool write_item_name(lua_State *L, const struct spt_task *t, char *out, size_t size)
{
    char place[SPT_PLACE_SIZE], item[SPT_ITEM_NAME_MAX + 1];
    if (!spt_item_name_write(L, -1, item, sizeof item))
        return false;
    if (lua_type(L, -1) == LUA_TSTRING) {
        snprintf(out, size, "%s", item);
        return true;
    }
    spt_inspect_write_place(&t->sched->trace, spt_task_function_place(t), place, sizeof place);
    snprintf(out, size, "%s(%s)", place, item);
    return true;
}

/* Writes the name of the task with the handle at `handle`. Returns false if it has only that of its
 * place and number. */
static bool copy_name(lua_State *L, int handle, const struct spt_task *t, char *out, size_t size)
{
    bool named = lua_getiuservalue(L, handle, SPT_TASK_UV_NAME) == LUA_TSTRING;
    if (t->body.named_by_item) {
        named = write_item_name(L, t, out, size);
    } else if (named) {
        size_t len;
        const char *name = lua_tolstring(L, -1, &len);
        spt_escape_text(out, size, name, len);
    }
    lua_pop(L, 1);
    return named;
}

static void default_name(const struct spt_task *t, char *out, size_t size)
{
    char place[SPT_PLACE_SIZE];
    spt_inspect_write_place(&t->sched->trace, spt_task_function_place(t), place, sizeof place);
    snprintf(out, size, "%s#%u", place, t->id);
}

/* Copies the name set on a live task. Returns false if it has none. */
static bool copy_live_name(const struct spt_task *t, char *out, size_t size)
{
    lua_State *L = t->sched->main;
    if (!t->numbers.anchor)
        return false;
    spt_task_push(L, t);
    bool named = copy_name(L, -1, t, out, size);
    lua_pop(L, 1);
    return named;
}

void spt_inspect_name(const struct spt_task *t, char *out, size_t size)
{
    if (!copy_live_name(t, out, size))
        default_name(t, out, size);
}

void spt_inspect_short_name(const struct spt_task *t, char *out, size_t size)
{
    char place[SPT_PLACE_SIZE];
    if (copy_live_name(t, out, size))
        return;
    spt_inspect_write_place(&t->sched->trace, spt_task_function_place(t), place, sizeof place);
    const char *folder = strrchr(place, '/');
    snprintf(out, size, "%s", folder ? folder + 1 : place);
}

void spt_inspect_label(lua_State *L, int handle, const struct spt_task *t, char *out, size_t size)
{
    if (!copy_name(L, handle, t, out, size))
        default_name(t, out, size);
}

void spt_inspect_push_name(lua_State *L, int handle, const struct spt_task *t)
{
    char name[SPT_PLACE_SIZE + SPT_ITEM_NAME_MAX];
    if (lua_getiuservalue(L, handle, SPT_TASK_UV_NAME) == LUA_TSTRING && !t->body.named_by_item)
        return;
    lua_pop(L, 1);
    spt_inspect_label(L, handle, t, name, sizeof name);
    lua_pushstring(L, name);
}

static void visit_children(const struct spt_scope *scope, void (*visit)(void *ud, void *task),
                           void *ud)
{
    const struct spt_link *head = &spt_scope_lists(scope)->children;
    for (const struct spt_link *l = head->next; l != head; l = l->next) {
        const struct spt_scope *child = SPT_OF(l, struct spt_scope, sibling);
        if (child->kind.is_root)
            visit(ud, spt_task_of_scope(child));
    }
}

void spt_inspect_children(const struct spt_scope *scope, void (*visit)(void *ud, void *task),
                          void *ud)
{
    const struct spt_block *block = spt_scope_block(scope);
    visit_children(scope, visit, ud);
    if (!block)
        return;
    for (const struct spt_link *l = block->starts.next; l != &block->starts; l = l->next)
        visit_children(&SPT_OF(l, struct spt_block, start)->scope, visit, ud);
}

void spt_inspect_blockers(const struct spt_task *t, void (*visit)(void *ud, void *task), void *ud)
{
    if (t->body.ended)
        spt_inspect_children(t->scope, visit, ud);
    else if (t->state == SPT_TASK_WAITING && t->wait.op && t->wait.op->type->blockers)
        t->wait.op->type->blockers(t->wait.op, visit, ud);
}

void spt_inspect_waits_for(const struct spt_task *t, char *out, size_t size)
{
    const septet_op *op = t->wait.op;
    int n = 0;
    *out = '\0';
    if (t->state != SPT_TASK_WAITING)
        return;
    if (!op) {
        snprintf(out, size, "children (%u)", t->scope->tasks.live);
        return;
    }
    n = snprintf(out, size, "%s", op->type->name);
    if (op->type->describe && n > 0 && (size_t)n + 2 < size) {
        out[n] = ' ';
        memset(out + n + 1, 0, size - (size_t)n - 1);
        op->type->describe(op, out + n + 1, size - (size_t)n - 1);
        out[size - 1] = '\0';
    }
}

#define PLACED_NS SPT_NS_PER_MS /* the shortest turn of which the place is kept */

bool spt_inspect_is_long(const struct spt_sched *s, uint64_t ns)
{
    return ns >= PLACED_NS || (s->slow.limit_ns && ns > s->slow.limit_ns);
}

void spt_inspect_keep_longest(struct spt_task *t, uint64_t ns)
{
    bool waits = t->state == SPT_TASK_WAITING && t->wait.op;
    t->more.times.longest_ns = ns;
    t->more.times.longest_place = 0;
    if (ns >= PLACED_NS && t->co && lua_status(t->co) == LUA_YIELD)
        t->more.times.longest_place =
            spt_inspect_place(waits ? spt_task_waits_in(t) : t->co, t->sched, 0);
}

/* --- warnings --- */

/* Warns about the first unstarted task: a task that its owner's end cancels before its first turn
 * is easily mistaken for one that keeps running. */
void spt_inspect_warn_unstarted(const struct spt_scope *scope)
{
    struct spt_sched *s = spt_sched_of_scope(scope);
    const struct spt_link *head = &spt_scope_lists(scope)->children;
    char name[128], line[320];
    for (const struct spt_link *l = head->next; l != head; l = l->next) {
        const struct spt_task *t = spt_task_of_scope(SPT_OF(l, struct spt_scope, sibling));
        if (t->state != SPT_TASK_NEW || t->root.cancel_pending)
            continue;
        spt_inspect_name(t, name, sizeof name);
        snprintf(
            line, sizeof line,
            "task '%s' is cancelled before it ran: the block or task that spawned it has ended "
            "(await it there, or use task.group or task.background)",
            name);
        s->hooks.warn(s->hooks.ud, line);
        return;
    }
}

void spt_inspect_warn_left(const struct spt_scope *block)
{
    const struct spt_sched *s = spt_sched_of_scope(block);
    uint64_t site = SPT_OF(block, struct spt_block, scope)->spawn_place;
    char name[128], at[SPT_PLACE_SIZE], line[512];
    spt_inspect_name(spt_task_of_scope(block), name, sizeof name);
    spt_inspect_write_place(&s->trace, site, at, sizeof at);
    snprintf(line, sizeof line,
             "task '%s' left a block open%s%s (hold a group in a <close> variable)", name,
             site ? ", opened at " : "", at);
    s->hooks.warn(s->hooks.ud, line);
}

/* Returns true if the place is not among the slow places reported last, and remembers it. */
static bool is_new_slow_place(struct spt_sched *s, uint64_t place)
{
    for (unsigned i = 0; i < SPT_SLOW_PLACES; i++)
        if (s->slow.places[i] == place)
            return false;
    s->slow.places[s->slow.n++ % SPT_SLOW_PLACES] = place;
    return true;
}

/* Names the line where the task waits now, or the place of its function if it has ended. */
void spt_inspect_report_slow(struct spt_task *t, uint64_t ns)
{
    struct spt_sched *s = t->sched;
    char name[128], place[SPT_PLACE_SIZE], line[320 + SPT_PLACE_SIZE];
    uint64_t at = t->co && lua_status(t->co) == LUA_YIELD ? spt_inspect_place(t->co, s, 0) : 0;
    if (!at)
        at = spt_task_function_place(t);
    spt_trace_put(&s->trace, (struct spt_rec){.t = s->now_ns,
                                              .task = t->id,
                                              .ref = (uint32_t)(at >> 32),
                                              .kind = SPT_REC_HOG,
                                              .a = (uint32_t)at,
                                              .b = ns});
    if (!is_new_slow_place(s, at))
        return;
    spt_inspect_name(t, name, sizeof name);
    spt_inspect_write_place(&s->trace, at, place, sizeof place);
    snprintf(line, sizeof line,
             "task '%s' ran for %.3g s without waiting, at %s: everything else stood still", name,
             spt_time_seconds(ns), place);
    s->hooks.warn(s->hooks.ud, line);
}
