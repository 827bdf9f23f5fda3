/* SPDX-License-Identifier: MIT */
/* Functions that fail on demand, the Nth of a kind: the memory of Lua, of the library and of
 * libcurl, each for itself, pollers and sockets. They count what is live. */
#ifndef SPT_TESTS_FAILING_CALLS_H
#define SPT_TESTS_FAILING_CALLS_H

#include <stdbool.h>
#include <stddef.h>

enum kind { LUA, OWN, CURL_MEMORY, POLLER, SOCKET, KINDS };
extern const char *const kind_names[KINDS];

enum { FOR_EVER = 1000000000 };

extern struct fault {
    bool armed;
    enum kind kind;
    long calls; /* of that kind, while armed */
    long from;  /* the number of the first that fails, from 1; 0: none does */
    long run;   /* how many in a row */
    long failed;
} fault;

extern struct live {
    long own, curl; /* blocks */
    size_t lua;     /* bytes */
} live;

void fault_arm(enum kind kind, long from, long run);

/* Initialises libcurl with memory that fails on demand. */
void fault_init_curl(void);

/* An allocator for a Lua state. */
void *fault_lua_memory(void *ud, void *block, size_t old, size_t size);

#endif
