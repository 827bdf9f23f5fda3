/* SPDX-License-Identifier: MIT */
/* The embedder's permission for files: each function of septet.fs asks for each path before it
 * touches anything, and is refused in the standard profile without a `permit`. */
#include "support/permit_fixture.h"

#define SCRIPTS(XX)                                                                                \
    XX(each_function_asks_for_its_paths)                                                           \
    XX(each_path_may_be_denied)                                                                    \
    XX(what_is_denied_is_not_touched)                                                              \
    XX(a_walk_asks_for_its_root_alone)

SCRIPTS(PERMIT_SCRIPT)
PERMIT_SCRIPT(all_is_denied)

int main(void)
{
    const struct CMUnitTest tests[] = {
#define XX(name) PERMIT_TEST(name, permit_setup),
        SCRIPTS(XX)
#undef XX
            PERMIT_TEST(all_is_denied, permit_setup_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
