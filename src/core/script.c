/* SPDX-License-Identifier: MIT */
/* Opens, cancels and closes the scopes of scripts, and releases them after their last task. */
#include "core/script.h"

void spt_script_open(struct spt_script *script, struct spt_sched *s)
{
    const struct spt_scope_kind plain = {0},
                                background = {.ends_with_mains = !script->keep_background};
    script->sched = s;
    script->id = ++s->counts.scripts;
    script->account.host = &s->counts.account;
    script->account.script = script;
    spt_scope_open(&script->mains, &script->mains_lists, plain, &s->tree.mains);
    spt_scope_open(&script->background, &script->background_lists, background, &s->tree.mains);
    spt_link_init(&script->end.link);
    spt_link_init(&script->link);
    spt_list_push(&s->tree.scripts, &script->link);
}

/* Cancels each task of a scope and not the scope, so that later tasks run. */
static void cancel_each(struct spt_scope *scope, const char *source, const char *reason,
                        bool expected)
{
    const struct spt_link *head = &spt_scope_lists(scope)->children;
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_scope *root = SPT_OF(l, struct spt_scope, sibling);
        if (spt_scope_cancel(root, source, reason))
            root->cancel.expected = expected;
    }
}

void spt_script_cancel(struct spt_script *script, const char *reason)
{
    cancel_each(&script->mains, "cancel", reason, true);
    cancel_each(&script->background, "cancel", reason, true);
}

static void queue_end(struct spt_script *script)
{
    struct spt_sched *s = script->sched;
    if (!spt_link_alone(&script->end.link))
        return;
    spt_list_push(&s->queues.endings, &script->end.link);
    spt_sched_wake(s);
}

void spt_script_unload(struct spt_script *script)
{
    static const char why[] = "the script is unloaded";
    spt_script_cancel(script, why);
    script->unloaded = true;
    spt_scope_cancel(&script->mains, "cancel", why);
    spt_scope_cancel(&script->background, "cancel", why);
    spt_script_settle(script);
}

void spt_script_settle(struct spt_script *script)
{
    const struct spt_account *account = &script->account;
    bool counted = account->tasks > 0 || account->requests > 0 || account->memory > 0;
    if (!script->unloaded || counted || !spt_link_alone(&script->end.link))
        return;
    spt_scope_close(&script->mains);
    spt_scope_close(&script->background);
    spt_link_remove(&script->link);
    script->release(script);
}

void spt_script_main_ended(struct spt_script *script)
{
    if (script->mains.tasks.live == 0 && !script->keep_background)
        cancel_each(&script->background, "owner", NULL, false);
}

void spt_script_emptied(struct spt_script *script)
{
    script->account.ended = false;
    script->account.in_vain = 0;
    queue_end(script);
}

struct spt_script *spt_script_find(struct spt_sched *s, uint32_t id)
{
    for (struct spt_link *l = s->tree.scripts.next; l != &s->tree.scripts; l = l->next) {
        struct spt_script *script = SPT_OF(l, struct spt_script, link);
        if (script->id == id && !script->unloaded)
            return script;
    }
    return NULL;
}
