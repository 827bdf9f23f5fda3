/* SPDX-License-Identifier: MIT */
/* Scripts: what one handle of the embedder's has started. A script has an account, and two scopes
 * below the host's main tasks, which own its main and its background tasks. So every walk of the
 * tree meets them. Knows nothing of sources, globals or results: host/script.c has those. */
#ifndef SPT_CORE_SCRIPT_H
#define SPT_CORE_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/account.h"
#include "core/sched.h"
#include "core/scope.h"
#include "core/task.h"

struct spt_script {
    struct spt_account account; /* of its tasks */
    struct spt_scope mains;     /* owns its main tasks */
    struct spt_scope background;
    struct spt_scope_lists mains_lists, background_lists;
    struct spt_deferred end; /* queued when its last task has ended */
    struct spt_link link;    /* in the scheduler's `scripts` */
    struct spt_sched *sched; /* borrowed */
    septet_script *handle;   /* borrowed; the embedder's */
    uint32_t id;             /* 0 for none */
    bool keep_background;    /* its background tasks may outlive its main tasks */
    bool unloaded;           /* the embedder has given it up */
    /* Frees the memory of an unloaded script, once nothing is counted in its account. */
    void (*release)(struct spt_script *script);
};

/* Opens the scopes of a zeroed script, numbers it and lists it. The caller has set
 * `account.limits`, `handle`, `keep_background`, `end.run` and `release`. */
void spt_script_open(struct spt_script *script, struct spt_sched *s);

/* Cancels the tasks of a script on behalf of the embedder. Those that are spawned later run. */
void spt_script_cancel(struct spt_script *script, const char *reason);

/* Cancels the tasks of a script, and all that are spawned later. Its memory is released once they
 * have ended and nothing is counted in its account: here, or in a later pass. */
void spt_script_unload(struct spt_script *script);

/* Releases a script that is unloaded, if nothing is counted in its account any more. For the code
 * that counts less there. */
void spt_script_settle(struct spt_script *script);

/* Handles the end of a main task of the script: cancels the background tasks after the last. */
void spt_script_main_ended(struct spt_script *script);

/* Handles the end of the last task in the account of the script. */
void spt_script_emptied(struct spt_script *script);

/* Returns the scope of the background tasks that `t` spawns. */
static inline struct spt_scope *spt_script_background(struct spt_task *t)
{
    struct spt_script *script = t->spawn.account->script;
    return script ? &script->background : &t->sched->tree.background;
}

/* Returns true if the background tasks of a script are to end. */
static inline bool spt_script_is_over(const struct spt_script *script)
{
    return script->unloaded || script->account.ended ||
           (script->mains.tasks.live == 0 && !script->keep_background);
}

/* Returns the script with the number, or NULL if it is unloaded or `id` is 0. */
struct spt_script *spt_script_find(struct spt_sched *s, uint32_t id);

#endif
