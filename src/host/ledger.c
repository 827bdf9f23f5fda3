/* SPDX-License-Identifier: MIT */
/* Counts what is in use with a comparison and two additions. If scripts may have limits, a header
 * before each block names the account that it is charged to, because Lua does not say that when it
 * frees the block. */
#include "host/ledger.h"

#include <stdlib.h>

#include "core/account.h"
#include "core/sched.h"
#include "core/script.h"
#include "core/task.h"

/* number of allocations refused in vain, in a turn and in all, before a script is condemned */
#define IN_VAIN_TURN 100
#define IN_VAIN_ALL  1000

/* Keeps the alignment that malloc gives. */
struct header {
    _Alignas(max_align_t) struct spt_account *account; /* a script's; NULL: the host's */
};

static void *below(const struct spt_ledger *ledger, void *block, size_t old, size_t size)
{
    if (ledger->alloc)
        return ledger->alloc(ledger->alloc_ud, block, old, size);
    if (size > 0)
        return realloc(block, size);
    free(block);
    return NULL;
}

/* --- what exceeds a limit --- */

static size_t bytes_of(const struct spt_ledger *ledger, const struct spt_account *account)
{
    return account ? account->memory : ledger->bytes;
}

/* Counts an allocation that failed although Lua has collected all garbage, or for which it had to
 * collect and gained little. A task that repeats that would stop all others. */
static void count_in_vain(struct spt_ledger *ledger, struct spt_account *account)
{
    const struct spt_task *t = ledger->sched->current;
    if (!t)
        return;
    if (ledger->task != t->id || ledger->turn != t->turn.count) {
        ledger->task = t->id;
        ledger->turn = t->turn.count;
        ledger->in_vain = 0;
    }
    uint32_t all = account ? ++account->in_vain : 0;
    if (++ledger->in_vain >= IN_VAIN_TURN || all >= IN_VAIN_ALL || (account && account->ended))
        ledger->condemn(ledger->ud, account);
}

/* --- collecting in time --- */

/* Returns where to collect next, given what is in use after a collection between two instructions.
 * (In one that an allocation began, a C function's buffers would be in use, too.) Lua's string
 * buffers ask once, and fail without a collection. They need twice their size, as the result is a
 * copy. So half the room may fill with garbage, and a buffer fits if its result does. */
static size_t next_collection(size_t used, size_t limit)
{
    size_t room = used < limit ? (limit - used) / 2 : 0;
    return used + (room > limit / 16 ? room : limit / 16);
}

void spt_ledger_collected(struct spt_ledger *ledger, struct spt_account *account)
{
    ledger->urged_turn = 0;
    ledger->collect_at = next_collection(ledger->bytes, ledger->limit);
    if (account)
        account->collect_at = next_collection(account->memory, account->limits.memory);
}

static bool is_due(size_t used, size_t limit, size_t collect_at)
{
    return limit && used > (collect_at ? collect_at : limit / 2);
}

/* Has garbage collected if it is time, after an allocation in a task of an account. */
static void look_after(struct spt_ledger *ledger, const struct spt_account *account)
{
    const struct spt_sched *s = ledger->sched;
    bool due = is_due(ledger->bytes, ledger->limit, ledger->collect_at) ||
               (account && is_due(account->memory, account->limits.memory, account->collect_at));
    if (!due || !s || !s->current || ledger->urged_turn == s->counts.turns + 1)
        return;
    ledger->urged_turn = s->counts.turns + 1;
    ledger->urge(ledger->ud);
}

/* --- a second try --- */

/* Ends a try that was refused before. If it was not refused again, it has got `more` bytes. */
static void settle_try(struct spt_ledger *ledger, size_t more, bool refused)
{
    struct spt_ledger_try last = ledger->try;
    ledger->try = (struct spt_ledger_try){0};
    size_t now = bytes_of(ledger, last.account) - more;
    size_t limit = last.account ? last.account->limits.memory : ledger->limit;
    bool gained = now < last.before && last.before - now >= limit / 16;
    if (ledger->sched && (refused || !gained))
        count_in_vain(ledger, last.account);
}

/* Refuses a block of `size` bytes for the sake of an account's limit, or of the host's if NULL. */
static void *refuse(struct spt_ledger *ledger, struct spt_account *account, size_t size)
{
    if (ledger->try.size == size && ledger->try.account == account)
        settle_try(ledger, 0, true);
    else
        ledger->try = (struct spt_ledger_try){size, bytes_of(ledger, account), account};
    return NULL;
}

static bool fits(size_t used, size_t limit, size_t more)
{
    return used <= limit && more <= limit - used;
}

static bool fits_host(const struct spt_ledger *ledger, size_t more)
{
    bool in_task = !ledger->sched || ledger->sched->current;
    return fits(ledger->bytes, ledger->limit + (in_task ? 0 : SPT_LEDGER_RESERVE), more);
}

/* --- without scripts --- */

static void count(struct spt_ledger *ledger, size_t old, size_t size)
{
    ledger->bytes += size - old;
    if (ledger->bytes > ledger->peak)
        ledger->peak = ledger->bytes;
}

static void *plain(struct spt_ledger *ledger, void *block, size_t old, size_t size)
{
    size_t had = block ? old : 0; /* otherwise it is the kind of the object */
    bool grows = size > had;
    if (grows && ledger->limit && !fits_host(ledger, size - had))
        return refuse(ledger, NULL, size);
    void *result = below(ledger, block, old, size);
    if (!result && size > 0)
        return NULL;
    count(ledger, had, size);
    if (grows && ledger->try.size)
        settle_try(ledger, size - had, false);
    if (grows && ledger->limit)
        look_after(ledger, NULL);
    return result;
}

/* --- with scripts --- */

/* Returns the account of the running task's script, or NULL. */
static struct spt_account *running(const struct spt_ledger *ledger)
{
    const struct spt_task *t = ledger->sched ? ledger->sched->current : NULL;
    return t && t->spawn.account->script ? t->spawn.account : NULL;
}

/* Ends the charge for a block. The account of a script that is unloaded ends with its last block,
 * but not now: the code that runs may be walking the scripts. */
static void discharge(const struct spt_ledger *ledger, struct spt_account *account, size_t size)
{
    if (!account)
        return;
    account->memory -= size;
    if (account->memory == 0 && ledger->sched && account->script->unloaded)
        spt_script_emptied(account->script);
}

static void charge(struct spt_account *account, size_t size)
{
    if (account)
        account->memory += size;
}

/* Grows or makes a block. From here on, the whole block is charged to the running task's script. */
static void *grow(struct spt_ledger *ledger, struct header *header, size_t old, size_t size)
{
    size_t had = header ? old : 0;
    struct spt_account *from = header ? header->account : NULL, *to = running(ledger);
    if (to && to->limits.memory &&
        !fits(to->memory, to->limits.memory, from == to ? size - had : size))
        return refuse(ledger, to, size);
    if (ledger->limit && !fits_host(ledger, size - had))
        return refuse(ledger, NULL, size);
    size_t more = sizeof *header;
    if (size > SIZE_MAX - more)
        return NULL;
    struct header *result = below(ledger, header, header ? old + more : old, size + more);
    if (!result)
        return NULL;
    result->account = to;
    charge(to, size);
    discharge(ledger, from, had);
    count(ledger, had, size);
    if (ledger->try.size)
        settle_try(ledger, ledger->try.account == to && from != to ? size : size - had, false);
    look_after(ledger, to);
    return result + 1;
}

/* Shrinks or frees a block. */
static void *shrink(struct spt_ledger *ledger, struct header *header, size_t old, size_t size)
{
    struct spt_account *account = header->account;
    size_t more = sizeof *header;
    struct header *result = below(ledger, header, old + more, size > 0 ? size + more : 0);
    if (size > 0 && !result)
        return NULL;
    discharge(ledger, account, old - size);
    count(ledger, old, size);
    return size > 0 ? result + 1 : NULL;
}

static void *with_limits(void *ud, void *block, size_t old, size_t size)
{
    struct spt_ledger *ledger = ud;
    struct header *header = block ? (struct header *)block - 1 : NULL;
    if (!ledger->charges)
        return plain(ledger, block, old, size);
    if (!block || size > old)
        return !block && size == 0 ? NULL : grow(ledger, header, old, size);
    return shrink(ledger, header, old, size);
}

/* --- without limits --- */

/* Only knows the peak, in as few instructions as possible. */
static void *with_malloc(void *ud, void *block, size_t old, size_t size)
{
    struct spt_ledger *ledger = ud;
    if (size == 0) {
        ledger->bytes -= block ? old : 0;
        free(block);
        return NULL;
    }
    void *result = realloc(block, size);
    if (result)
        count(ledger, block ? old : 0, size);
    return result;
}

lua_Alloc spt_ledger_function(const struct spt_ledger *ledger)
{
    return ledger->limit || ledger->charges || ledger->alloc ? with_limits : with_malloc;
}
