/* SPDX-License-Identifier: MIT */
/* An embedder's `permit` that records what it is asked. Scripts have an empty `folder`, which is
 * removed at the end, and these functions, which know a line "KIND SUBJECT" for each question:
 *
 *   asked()            the lines since the last call, with a newline between
 *   assert_asked(...)  raises unless these are the lines since the last call
 *   deny(line)         has it deny that line, or all of a kind; "" for none
 *   allow(line)        has it allow that line, and nothing else */
#ifndef SPT_TESTS_PERMIT_FIXTURE_H
#define SPT_TESTS_PERMIT_FIXTURE_H

#include "support/host_fixture.h"

/* Sets `permit` of a config. */
void permit_ask(septet_config *config);

/* For hosts of the trusted profile, of the standard one, and of the standard one with no `permit`.
 * The state is a struct host_fixture. */
int permit_setup(void **state);
int permit_setup_standard(void **state);
int permit_setup_unasked(void **state);

/* Likewise, with a config that `configure` has changed. */
int permit_setup_with(void **state, void (*configure)(septet_config *));
int permit_teardown(void **state);

/* Runs the function of that name in a Lua file. Nothing may be reported. */
void permit_run(void **state, const char *path, const char *name);

/* A test that runs the function of its name in the Lua file beside it. */
#define PERMIT_SCRIPT(name)                                                                        \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        permit_run(state, TEST_SCRIPTS, #name);                                                    \
    }

#define PERMIT_TEST(name, setup)                                                                   \
    cmocka_unit_test_setup_teardown(test_##name, setup, permit_teardown)

#endif
