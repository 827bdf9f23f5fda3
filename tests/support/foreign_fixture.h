/* SPDX-License-Identifier: MIT */
/* What the tests on an embedder's own Lua state share: the state, with memory that is counted,
 * and a host on it. */
#ifndef SPT_TESTS_FOREIGN_FIXTURE_H
#define SPT_TESTS_FOREIGN_FIXTURE_H

#include "support/host_fixture.h"

#define TEST_ON_STATE(fn)                                                                          \
    cmocka_unit_test_setup_teardown(fn, foreign_fixture_setup, foreign_fixture_teardown)

struct foreign_fixture {
    lua_State *L;
    struct pool pool; /* its memory */
    septet_host *host;
    struct reports reports;
};

int foreign_fixture_setup(void **state);

/* Frees the host, if the test has not, and closes the state: nothing is left. */
int foreign_fixture_teardown(void **state);

/* Frees the host before the test ends. */
void foreign_fixture_free(struct foreign_fixture *f);

/* Makes a host on that state, or returns NULL and a status. */
septet_host *host_on(lua_State *L, struct reports *reports, int *status);

/* Runs Lua on the state itself, outside of any task. */
void run_outside(lua_State *L, const char *source);

#endif
