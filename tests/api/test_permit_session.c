/* SPDX-License-Identifier: MIT */
/* The embedder's permission for what sessions do with files and with connections of their own. */
#include "support/permit_fixture.h"

#define SCRIPTS(XX)                                                                                \
    XX(files_of_cookies_are_asked_about)                                                           \
    XX(a_reader_needs_a_permission_to_be_opened_and_an_upload_no_other)                            \
    XX(fresh_and_repeated_requests_are_asked_about_each)

SCRIPTS(PERMIT_SCRIPT)

int main(void)
{
    const struct CMUnitTest tests[] = {
#define XX(name) PERMIT_TEST(name, permit_setup),
        SCRIPTS(XX)
#undef XX
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
