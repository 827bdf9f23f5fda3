/* SPDX-License-Identifier: MIT */
/* Quirks: which versions have which, and how tests change them. */
#include "http/quirks.h"

#include <string.h>

#include "support/cmocka.h"

static void test_quirks_are_of_versions(void **state)
{
    unsigned old = spt_quirks_of(0x075801, NULL), fine = spt_quirks_of(0x081000, NULL);
    assert_true(SPT_HAS_QUIRK(old, POKE));
    assert_true(SPT_HAS_QUIRK(old, HTTP2_PAUSE));
    assert_true(SPT_HAS_QUIRK(old, FOLD));
    assert_false(SPT_HAS_QUIRK(spt_quirks_of(0x080101, NULL), FOLD));
    assert_true(SPT_NO_HTTP2(old));
    assert_false(SPT_HAS_QUIRK(old, TIMEOUT));
    assert_false(SPT_HAS_QUIRK(old, TRANSFER));
    assert_true(SPT_HAS_QUIRK(fine, TRANSFER)); /* no version is without it since */
    assert_int_equal(fine & ~(1u << SPT_QUIRK_TRANSFER), 0);
}

static void test_quirks_have_a_first_and_a_last_version(void **state)
{
    assert_true(SPT_HAS_QUIRK(spt_quirks_of(0x0803ff, NULL), POKE));
    assert_false(SPT_HAS_QUIRK(spt_quirks_of(0x080400, NULL), POKE));
    assert_false(SPT_HAS_QUIRK(spt_quirks_of(0x0809ff, NULL), TIMEOUT));
    assert_true(SPT_HAS_QUIRK(spt_quirks_of(0x080a00, NULL), TIMEOUT));
    assert_true(SPT_HAS_QUIRK(spt_quirks_of(0x080b00, NULL), TIMEOUT));
    assert_false(SPT_HAS_QUIRK(spt_quirks_of(0x080b01, NULL), TIMEOUT));
    assert_false(SPT_NO_HTTP2(spt_quirks_of(0x080700, NULL)));
    assert_true(SPT_NO_HTTP2(spt_quirks_of(0x080901, NULL)));
    assert_true(SPT_NO_HTTP2(spt_quirks_of(0x080e00, NULL)));
    assert_false(SPT_NO_HTTP2(spt_quirks_of(0x080e01, NULL)));
}

static void test_quirks_can_be_changed(void **state)
{
    unsigned changed = spt_quirks_of(0x075801, "-poke,+timeout,-http2");
    assert_false(SPT_HAS_QUIRK(changed, POKE));
    assert_true(SPT_HAS_QUIRK(changed, TIMEOUT));
    assert_false(SPT_NO_HTTP2(changed));
    assert_true(SPT_HAS_QUIRK(changed, FOLD));
    assert_int_equal(spt_quirks_of(0x075801, ",,+nonsense,-"), spt_quirks_of(0x075801, NULL));
}

static void test_quirks_have_words(void **state)
{
    for (unsigned i = 0; i < SPT_QUIRKS; i++) {
        char change[32] = "+";
        strcat(change, spt_quirks_word((enum spt_quirk)i));
        assert_int_equal(spt_quirks_of(0x7fffff, change), spt_quirks_of(0x7fffff, NULL) | 1u << i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quirks_are_of_versions),
        cmocka_unit_test(test_quirks_have_a_first_and_a_last_version),
        cmocka_unit_test(test_quirks_can_be_changed),
        cmocka_unit_test(test_quirks_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
