/* SPDX-License-Identifier: MIT */
/* The ledger: the allocator of a state that septet_new made. It counts the bytes of Lua, and
 * refuses what exceeds a limit. Lua then collects all garbage and asks once more. */
#ifndef SPT_HOST_LEDGER_H
#define SPT_HOST_LEDGER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spt_account;
struct spt_sched;

/* Bytes that the host may use beyond its limit between the turns of tasks, to report that memory is
 * out. */
enum { SPT_LEDGER_RESERVE = 64 * 1024 };

/* A refusal that Lua has yet to answer with a collection and a second try. */
struct spt_ledger_try {
    size_t size;                 /* 0: none */
    size_t before;               /* bytes of the owner of the limit at the refusal */
    struct spt_account *account; /* borrowed; the one with the limit; NULL: the host */
};

struct spt_ledger {
    lua_Alloc alloc; /* the embedder's; NULL: malloc */
    void *alloc_ud;
    size_t bytes;            /* in use */
    size_t peak;             /* the most so far */
    size_t limit;            /* 0: none */
    size_t collect_at;       /* bytes at which garbage is to be collected; 0: half the limit */
    bool charges;            /* each block has a header that names the script it is charged to */
    struct spt_sched *sched; /* borrowed; says which task runs; NULL: none can */
    struct spt_ledger_try try;
    uint32_t task, turn; /* the turn of the last allocation that was refused in vain */
    uint32_t in_vain;    /* number of them in that turn */
    /* called in a task that goes on to allocate beyond the limit of an account; NULL: of the host.
     * May not use Lua, but lua_sethook. */
    void (*condemn)(void *ud, struct spt_account *account);
    /* called in a task when garbage is to be collected, which is done at its next instruction. May
     * not use Lua, but lua_sethook. */
    void (*urge)(void *ud);
    void *ud;
    /* number of the turn, from 1, at the next instruction of which garbage is to be collected; 0:
     * none */
    uint64_t urged_turn;
};

/* Returns the allocator for a state, to be used with the ledger as its `ud`. The caller has set
 * `alloc`, `alloc_ud`, `limit`, `charges`, `condemn`, `urge` and `ud`, and the rest to zero. */
lua_Alloc spt_ledger_function(const struct spt_ledger *ledger);

/* Handles the end of a collection of all garbage, in a task of a script's account; NULL: of the
 * host's. */
void spt_ledger_collected(struct spt_ledger *ledger, struct spt_account *account);

#endif
