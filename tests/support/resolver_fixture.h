/* SPDX-License-Identifier: MIT */
/* What the tests of dns/ share: a resolver on a loop of its own, beside a scripted DNS server.
 * Nothing is asserted inside a callback. */
#ifndef SPT_TESTS_RESOLVER_FIXTURE_H
#define SPT_TESTS_RESOLVER_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/timer.h"
#include "dns/answer.h"
#include "dns/resolver.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "support/cmocka.h"

#define SECONDS UINT64_C(1000000000)
#define TEST(f)                                                                                    \
    cmocka_unit_test_setup_teardown(f, resolver_fixture_setup, resolver_fixture_teardown)

enum { MANY = 5000 };

extern struct resolver_fixture {
    struct spt_loop *loop;
    struct spt_timers timers;
    struct spt_resolver *resolver;
    struct spt_lookup lookups[MANY];
    unsigned done;         /* number of lookups that are */
    unsigned sockets_most; /* at once */
    struct spt_timer watchdog;
    bool hung;
    void (*after_done)(struct spt_lookup *); /* runs inside on_done, or NULL */
} dns;

int resolver_fixture_setup(void **state);
int resolver_fixture_teardown(void **state);

/* Opens a resolver. `conf` is a file in place of resolv.conf, or NULL. A `timeout_ms` of 0 is the
 * usual one. */
void open_resolver(const char *servers, const char *conf, unsigned timeout_ms);
void close_resolver(void);

/* Opens a resolver in place of the other. Its queries time out early. */
void open_impatient(const char *servers);

/* Starts lookup `i`. Its answer must not be there at once. */
struct spt_lookup *ask(unsigned i, const char *host);

/* Turns the loop until `n` lookups are done. */
void turn_until_done(unsigned n);

/* Asks, and waits if the answer is not there at once. */
struct spt_lookup *resolve(const char *host);

void assert_addresses(const char *host, const char *addresses);
void assert_failure(const char *host, const char *word);

/* Returns how many names the resolver has asked for. */
uint64_t asked(void);

/* Returns how many lines of the server's log have both in them. */
unsigned count_logged(const char *name, const char *what);

/* Moves the loop's virtual clock. */
void pass(uint64_t ns);

#endif
