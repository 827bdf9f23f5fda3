/* SPDX-License-Identifier: MIT */
/* Escapes: what is left, what is escaped, and where the room ends. */
#include <string.h>

#include "base/escape.h"
#include "support/cmocka.h"

#define check(text, expected) check_bytes(text, sizeof(text) - 1, expected)

static void check_bytes(const char *text, size_t len, const char *expected)
{
    char out[256];
    size_t n = spt_escape_text(out, sizeof out, text, len);
    assert_string_equal(out, expected);
    assert_int_equal(n, strlen(expected));
    assert_int_equal(spt_escape_keeps_text(text, len), n == len && memcmp(out, text, len) == 0);
}

static void test_what_can_be_shown_stays(void **state)
{
    check("", "");
    check("GET http://host/a?b=c \\ '\"~", "GET http://host/a?b=c \\ '\"~");
    check("\xc2\xa0 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xb5 \xef\xbf\xbd",
          "\xc2\xa0 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xb5 \xef\xbf\xbd");
}

static void test_control_characters_are_escaped(void **state)
{
    check("a\nb\rc\td", "a\\nb\\rc\\td");
    check("\0\x01\x1b[31m\x1f\x7f", "\\x00\\x01\\x1b[31m\\x1f\\x7f");
    check("\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f");
}

static void test_bytes_that_are_not_utf8_are_escaped(void **state)
{
    check("\x80 \xbf \xff", "\\x80 \\xbf \\xff");
    check("\xc3", "\\xc3");
    check("\xe2\x82", "\\xe2\\x82");
    check("\xe2\x82z", "\\xe2\\x82z");
    check("\xc0\xaf\xe0\x80\xaf", "\\xc0\\xaf\\xe0\\x80\\xaf");
    check("\xed\xa0\x80", "\\xed\\xa0\\x80");
    check("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
}

static void test_what_finds_no_room_is_cut_as_a_whole(void **state)
{
    char out[8];
    assert_int_equal(spt_escape_text(out, sizeof out, "abcdef\x1b", 7), 6);
    assert_string_equal(out, "abcdef");
    assert_int_equal(spt_escape_text(out, sizeof out, "abcdef\xc3\xa9", 8), 6);
    assert_string_equal(out, "abcdef");
    assert_int_equal(spt_escape_text(out, sizeof out, "abcde\xc3\xa9", 7), 7);
    assert_int_equal(spt_escape_text(out, 1, "a", 1), 0);
    assert_string_equal(out, "");
}

static void test_every_byte_comes_out_printable(void **state)
{
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char text[2] = {(char)a, (char)b}, out[9];
            size_t n = spt_escape_text(out, sizeof out, text, 2);
            assert_true(spt_escape_keeps_text(out, n));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_can_be_shown_stays),
        cmocka_unit_test(test_control_characters_are_escaped),
        cmocka_unit_test(test_bytes_that_are_not_utf8_are_escaped),
        cmocka_unit_test(test_what_finds_no_room_is_cut_as_a_whole),
        cmocka_unit_test(test_every_byte_comes_out_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
