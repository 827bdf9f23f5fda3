/* SPDX-License-Identifier: MIT */
/* Accounts: what a host's tasks together, or those of one script, use of their limits. Each task
 * has one. What a script uses counts for its host, too. */
#ifndef SPT_CORE_ACCOUNT_H
#define SPT_CORE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "septet/septet.h"

struct spt_script;

struct spt_account {
    septet_limits limits;
    uint32_t tasks;            /* live ones */
    uint32_t requests;         /* in flight or queued */
    size_t memory;             /* of a script: bytes of Lua memory that are charged to it */
    size_t collect_at;         /* bytes at which garbage is to be collected; 0: half the limit */
    uint32_t in_vain;          /* number of allocations that were refused in vain so far */
    bool ended;                /* its tasks are to end: it exceeded a limit again and again */
    struct spt_account *host;  /* borrowed; NULL for the host's own */
    struct spt_script *script; /* borrowed; NULL for the host's own */
};

/* Returns the account, of a script or of its host, with as many live tasks as it may have; NULL if
 * there is none. */
static inline const struct spt_account *spt_account_full(const struct spt_account *account)
{
    for (; account; account = account->host)
        if (account->limits.tasks && account->tasks >= account->limits.tasks)
            return account;
    return NULL;
}

/* Returns true if what its tasks run without waiting is limited. */
static inline bool spt_account_limits_slices(const struct spt_account *account)
{
    for (; account; account = account->host)
        if (account->limits.slice_instructions || account->limits.slice_ms)
            return true;
    return false;
}

static inline void spt_account_add_task(struct spt_account *account)
{
    for (; account; account = account->host)
        account->tasks++;
}

static inline void spt_account_remove_task(struct spt_account *account)
{
    for (; account; account = account->host)
        account->tasks--;
}

/* Returns the account with as many requests in flight as it may have; NULL if there is none. */
static inline const struct spt_account *spt_account_full_of_requests(
    const struct spt_account *account)
{
    for (; account; account = account->host)
        if (account->limits.requests && account->requests >= account->limits.requests)
            return account;
    return NULL;
}

static inline void spt_account_add_request(struct spt_account *account)
{
    for (; account; account = account->host)
        account->requests++;
}

static inline void spt_account_remove_request(struct spt_account *account)
{
    for (; account; account = account->host)
        account->requests--;
}

/* Returns `max`, the number of bytes that a body may have, or less if a limit is lower. */
static inline size_t spt_account_max_body(const struct spt_account *account, size_t max)
{
    for (; account; account = account->host)
        if (account->limits.body && account->limits.body < max)
            max = (size_t)account->limits.body;
    return max;
}

/* Returns `max`, the bytes that a library may take for a script, or less if a limit of Lua's memory
 * is lower. */
static inline size_t spt_account_max_memory(const struct spt_account *account, size_t max)
{
    for (; account; account = account->host)
        if (account->limits.memory && account->limits.memory < max)
            max = account->limits.memory;
    return max;
}

/* Returns what the account belongs to, for messages. */
static inline const char *spt_account_owner(const struct spt_account *account)
{
    return account->host ? "script" : "host";
}

#endif
