/* SPDX-License-Identifier: MIT */
/* The embedder's permission for a queue in a file: it is asked for reading and for writing before
 * anything is touched, and the standard profile without a `permit` has none. */
#include "support/permit_fixture.h"

PERMIT_SCRIPT(asks_for_both)
PERMIT_SCRIPT(is_refused)
PERMIT_SCRIPT(is_refused_without_a_permit)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PERMIT_TEST(asks_for_both, permit_setup),
        PERMIT_TEST(is_refused, permit_setup),
        PERMIT_TEST(is_refused_without_a_permit, permit_setup_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
