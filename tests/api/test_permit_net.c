/* SPDX-License-Identifier: MIT */
/* The embedder's permission for sockets: what is asked, in both profiles, and that no name, form of
 * an address or path gets past it. */
#include "support/permit_fixture.h"

static int name_dns(void **state, int (*setup)(void **))
{
    if (setup(state) != 0)
        return -1;
    lua_State *L = ((struct host_fixture *)*state)->L;
    lua_pushstring(L, getenv("SEPTET_DNS"));
    lua_setglobal(L, "DNS");
    return 0;
}

static int setup_trusted(void **state)
{
    return name_dns(state, permit_setup);
}

static int setup_standard(void **state)
{
    return name_dns(state, permit_setup_standard);
}

#define SCRIPTS(XX)                                                                                \
    XX(a_connection_is_asked_about_by_name_and_by_each_address)                                    \
    XX(a_name_that_is_denied_is_not_looked_up)                                                     \
    XX(an_address_is_denied_in_all_its_forms)                                                      \
    XX(a_name_that_leads_to_a_denied_address_gets_no_connection)                                   \
    XX(a_name_goes_on_with_an_address_that_is_permitted)                                           \
    XX(a_server_is_asked_about_by_its_address)                                                     \
    XX(a_unix_socket_is_asked_about_by_its_path)                                                   \
    XX(a_dns_server_is_asked_about)                                                                \
    XX(a_redis_server_is_asked_about_as_any_other)

SCRIPTS(PERMIT_SCRIPT)
PERMIT_SCRIPT(the_standard_profile_connects_and_does_nothing_else)

int main(void)
{
    const struct CMUnitTest tests[] = {
#define XX(name) PERMIT_TEST(name, setup_trusted), PERMIT_TEST(name, setup_standard),
        SCRIPTS(XX)
#undef XX
            PERMIT_TEST(the_standard_profile_connects_and_does_nothing_else, permit_setup_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
