/* SPDX-License-Identifier: MIT */
/* The embedder's permission for servers and for event streams: what it is asked about, and what a
 * denial leaves. */
#include "support/permit_fixture.h"

#define SCRIPTS(XX)                                                                                \
    XX(a_server_is_asked_about_by_its_address)                                                     \
    XX(a_server_that_is_denied_does_not_listen)                                                    \
    XX(an_event_stream_that_is_denied_is_not_tried_again)

SCRIPTS(PERMIT_SCRIPT)
PERMIT_SCRIPT(the_standard_profile_serves_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
#define XX(name) PERMIT_TEST(name, permit_setup),
        SCRIPTS(XX)
#undef XX
            PERMIT_TEST(the_standard_profile_serves_nothing, permit_setup_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
