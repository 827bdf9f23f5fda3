/* SPDX-License-Identifier: MIT */
/* Functions that fail on demand, the Nth of a kind: the memory of Lua, of the library and of
 * libcurl, each for itself, pollers and sockets. They count what is live. */
#ifndef SPT_TESTS_FAILING_CALLS_H
#define SPT_TESTS_FAILING_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum kind { LUA, OWN, CURL_MEMORY, POLLER, SOCKET, KINDS };
extern const char *const kind_names[KINDS];

enum { FOR_EVER = 1000000000 };

/* What threads of the pool count as well is atomic. */
extern struct fault {
    bool armed;
    enum kind kind;
    atomic_long calls; /* of that kind, while armed */
    long from;         /* the number of the first that fails, from 1; 0: none does */
    long run;          /* how many in a row */
    atomic_long failed;
} fault;

extern struct live {
    atomic_long own; /* blocks, like the next */
    long curl;
    size_t lua; /* bytes */
} live;

void fault_arm(enum kind kind, long from, long run);

/* Which calls fail, one for each round. */
struct fault_points {
    long total; /* number of calls of a round */
    long n;     /* number of those to try */
    long tried;
    unsigned long state; /* of the generator that chooses, unless all are tried */
};

/* Returns the points of a round with `total` calls: SEPTET_TORTURE of them, or `n` by default; all
 * if that is 0 or more than there are. SEPTET_TORTURE_SEED chooses them. */
struct fault_points fault_points(long total, long n);

/* Returns the number of the next call that is to fail, or 0 after the last. */
long fault_next_point(struct fault_points *points);

/* Returns SEPTET_TORTURE_SEED, or the number of the month. */
unsigned long fault_seed(void);

/* Initialises libcurl with memory that fails on demand. */
void fault_init_curl(void);

/* An allocator for a Lua state. */
void *fault_lua_memory(void *ud, void *block, size_t old, size_t size);

#endif
