/* SPDX-License-Identifier: MIT */
/* Writes without allocating. Names and what tasks wait for are cut where they are too long. */
#include "core/dump_task.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "core/inspect.h"
#include "core/sched.h"
#include "core/task.h"
#include "core/task_stack.h"

const char *spt_dump_task_state(const struct spt_task *t)
{
    switch (t->state) {
    case SPT_TASK_NEW:
        return "new";
    case SPT_TASK_READY:
        return "ready";
    case SPT_TASK_RUNNING:
        return "run";
    default:
        return "wait";
    }
}

static const septet_op *waited_for(const struct spt_task *t)
{
    return t->state == SPT_TASK_WAITING ? t->wait.op : NULL;
}

const char *spt_dump_task_wait(const struct spt_task *t)
{
    if (t->state != SPT_TASK_WAITING)
        return "";
    return t->wait.op ? t->wait.op->type->name : "children";
}

void spt_dump_task_detail(const struct spt_task *t, char out[SPT_DUMP_DETAIL])
{
    spt_inspect_waits_for(t, out, SPT_DUMP_DETAIL);
    size_t kind = strlen(spt_dump_task_wait(t)) + 1, length = strlen(out);
    memmove(out, out + (kind < length ? kind : length), kind < length ? length - kind + 1 : 1);
}

/* Returns for how long it has been in its state. */
static uint64_t since(const struct spt_task *t, uint64_t now_ns)
{
    uint64_t from = t->state == SPT_TASK_RUNNING ? t->sched->now_ns : t->wait.since_ns;
    return now_ns > from ? now_ns - from : 0;
}

uint64_t spt_dump_task_busy(const struct spt_task *t, uint64_t now_ns)
{
    return spt_task_times(t)->busy_ns + (t->state == SPT_TASK_RUNNING ? since(t, now_ns) : 0);
}

static uint64_t sched(const struct spt_task *t, uint64_t now_ns)
{
    bool queued = t->state == SPT_TASK_NEW || t->state == SPT_TASK_READY;
    return spt_task_times(t)->sched_ns + (queued ? since(t, now_ns) : 0);
}

uint64_t spt_dump_task_longest(const struct spt_task *t, uint64_t now_ns)
{
    uint64_t running = t->state == SPT_TASK_RUNNING ? since(t, now_ns) : 0;
    return running > spt_task_times(t)->longest_ns ? running : spt_task_times(t)->longest_ns;
}

void spt_dump_task_add_place(struct spt_text *text, const struct spt_task *t)
{
    struct spt_task_stack stack = spt_task_stack_of(t);
    lua_Debug ar;
    char place[SPT_PLACE_SIZE];
    while (spt_task_stack_next(&stack, &ar)) {
        const char *name = spt_task_stack_function(&ar);
        spt_text_add(text, "%s%s:%d%s%.64s", stack.shown > 1 ? " ← " : "", ar.short_src,
                     ar.currentline, name ? " in " : "", name ? name : "");
    }
    if (stack.shown > 0)
        return;
    spt_inspect_write_place(&t->sched->trace, spt_task_function_place(t), place, sizeof place);
    spt_text_add(text, "%s", place);
}
/* --- as a line --- */

#define IDLE_NS (3 * SPT_NS_PER_SECOND) /* a wait for another task that is remarked upon */

void spt_dump_task_add_seconds(struct spt_text *text, uint64_t ns)
{
    spt_text_add(text, ns < 10 * SPT_NS_PER_SECOND ? "%.3fs" : "%.1fs", spt_time_seconds(ns));
}

/* Pads the text with spaces to a column of the terminal, and adds one in any case. */
static void pad(struct spt_text *text, unsigned column)
{
    unsigned at = 0;
    for (size_t i = 0; i < text->n; i++)
        at += (text->out[i] & 0xc0) != 0x80; /* not inside a character of UTF-8 */
    spt_text_add(text, "%*s", at < column ? (int)(column - at) : 1, "");
}

static bool waits_for_others(const struct spt_task *t)
{
    static const char *const kinds[] = {"recv", "send", "event", "semaphore"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(spt_dump_task_wait(t), kinds[i]) == 0)
            return true;
    return false;
}

static void add_remarks(struct spt_text *text, const struct spt_task *t, uint64_t now_ns)
{
    if (t->state == SPT_TASK_WAITING && t->root.cancel_pending) /* it is in a shield */
        spt_text_add(text, "  ! cancelled");
    if (since(t, now_ns) > IDLE_NS && waits_for_others(t))
        spt_text_add(text, "  ! idle > %d s", (int)(IDLE_NS / SPT_NS_PER_SECOND));
}

void spt_dump_task_add(struct spt_text *text, const struct spt_task *t, unsigned column,
                       uint64_t now_ns)
{
    char name[SPT_DUMP_NAME], detail[SPT_DUMP_DETAIL];
    spt_inspect_short_name(t, name, sizeof name);
    spt_dump_task_detail(t, detail);
    spt_text_add(text, "#%u %s", t->id, name);
    pad(text, column);
    spt_text_add(text, "%s %s", spt_dump_task_state(t), spt_dump_task_wait(t));
    pad(text, column + 16);
    spt_dump_task_add_seconds(text, since(t, now_ns));
    if (*detail)
        spt_text_add(text, " %s", detail);
    add_remarks(text, t, now_ns);
    pad(text, column + 23);
    spt_text_add(text, " ");
    spt_dump_task_add_place(text, t);
}

/* --- in JSON --- */

static void add_stack(struct spt_text *text, const struct spt_task *t)
{
    struct spt_task_stack stack = spt_task_stack_of(t);
    lua_Debug ar;
    spt_text_add(text, "[");
    while (spt_task_stack_next(&stack, &ar)) {
        spt_text_add(text, "%s{\"src\":", stack.shown > 1 ? "," : "");
        spt_text_add_json(text, ar.short_src, sizeof ar.short_src);
        spt_text_add(text, ",\"line\":%d", ar.currentline);
        if (spt_task_stack_function(&ar)) {
            spt_text_add(text, ",\"fn\":");
            spt_text_add_json(text, spt_task_stack_function(&ar), 64);
        }
        spt_text_add(text, "}");
    }
    spt_text_add(text, "]");
}

static void add_wait(struct spt_text *text, const struct spt_task *t)
{
    char detail[SPT_DUMP_DETAIL];
    if (t->state != SPT_TASK_WAITING)
        return;
    spt_dump_task_detail(t, detail);
    spt_text_add(text, ",\"wait\":{\"kind\":");
    spt_text_add_json(text, spt_dump_task_wait(t), SPT_DUMP_NAME);
    spt_text_add(text, ",\"ref\":%u,\"detail\":", waited_for(t) ? waited_for(t)->ref : 0);
    spt_text_add_json(text, detail, SPT_DUMP_DETAIL);
    spt_text_add(text, "}");
}

static unsigned long long us(uint64_t ns)
{
    return ns / SPT_NS_PER_US;
}

static void add_longest(struct spt_text *text, const struct spt_task *t, uint64_t now_ns)
{
    char place[SPT_PLACE_SIZE];
    spt_text_add(text, ",\"longest_us\":%llu", us(spt_dump_task_longest(t, now_ns)));
    if (!spt_task_times(t)->longest_place ||
        spt_dump_task_longest(t, now_ns) != spt_task_times(t)->longest_ns)
        return;
    spt_inspect_write_place(&t->sched->trace, spt_task_times(t)->longest_place, place,
                            sizeof place);
    spt_text_add(text, ",\"longest_at\":");
    spt_text_add_json(text, place, sizeof place);
}

void spt_dump_task_add_json(struct spt_text *text, const struct spt_task *t, uint64_t now_ns)
{
    const struct spt_task *owner = spt_task_of_scope(t->root.parent);
    char name[SPT_DUMP_NAME];
    spt_inspect_short_name(t, name, sizeof name);
    spt_text_add(text, "{\"id\":%u,\"parent\":%u,\"name\":", t->id, owner ? owner->id : 0);
    spt_text_add_json(text, name, sizeof name);
    spt_text_add(text, ",\"state\":\"%s\"", spt_dump_task_state(t));
    add_wait(text, t);
    spt_text_add(text, ",\"since_ms\":%.3f,\"busy_us\":%llu,\"sched_us\":%llu,\"resumes\":%u",
                 (double)since(t, now_ns) / SPT_NS_PER_MS, us(spt_dump_task_busy(t, now_ns)),
                 us(sched(t, now_ns)), t->turn.count);
    add_longest(text, t, now_ns);
    spt_text_add(text, ",\"stack\":");
    add_stack(text, t);
    spt_text_add(text, "}");
}
