/* SPDX-License-Identifier: MIT */
/* Hosts: what one is, and the one form of each. */
#include "http/hostname.h"

#include <string.h>

#include "support/cmocka.h"

static const char *host_of(const char *text)
{
    static struct spt_hostname host;
    return spt_hostname_read(&host, text, strlen(text)) ? NULL : host.text;
}

static void test_x_14_a_host_has_one_form(void **state)
{
    static const char *const hosts[][2] = {
        {"example.com", "example.com"},
        {"EXAMPLE.com.", "example.com."},
        {"a_b-c~d.e", "a_b-c~d.e"},
        {"%61%2ecom", "a.com"},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"b%C3%BCcher.example", "xn--bcher-kva.example"},
        {"127.0.0.1", "127.0.0.1"},
        {"127.0.0.1.", "127.0.0.1"},
        {"127.1", "127.0.0.1"},
        {"127.0.1", "127.0.0.1"},
        {"2130706433", "127.0.0.1"},
        {"0x7f000001", "127.0.0.1"},
        {"0X7F.1", "127.0.0.1"},
        {"017700000001", "127.0.0.1"},
        {"0177.0.0.1", "127.0.0.1"},
        {"127.000.000.001", "127.0.0.1"},
        {"%31%32%37.0.0.1", "127.0.0.1"},
        {"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", "127.0.0.1"},
        {"127\xe3\x80\x82"
         "0.0.1",
         "127.0.0.1"},
        {"999999999.", "59.154.201.255"},
        {"192.168.257.", "192.168.1.1"},
        {"1.2.3.", "1.2.0.3"},
        {"0x", "0.0.0.0"},
        {"0", "0.0.0.0"},
        {"4294967295", "255.255.255.255"},
        {"1.2.3.4.example", "1.2.3.4.example"},
        {"1.com", "1.com"},
        {"0x.com", "0x.com"},
        {"[::1]", "[::1]"},
        {"[0:0:0:0:0:0:0:1]", "[::1]"},
        {"[0000::0001]", "[::1]"},
        {"[FE80::A]", "[fe80::a]"},
        {"[fe80::1%25Eth0.1]", "[fe80::1%25Eth0.1]"},
        {"[::ffff:7f00:1]", "[::ffff:127.0.0.1]"},
    };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        assert_non_null(host_of(hosts[i][0]));
        assert_string_equal(host_of(hosts[i][0]), hosts[i][1]);
        assert_string_equal(host_of(hosts[i][1]), hosts[i][1]);
    }
}

static const char *const no_hosts[] = {
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a..",
    /* They end in a number, and are no address. */
    "1.2.3.4.5",
    "256.256.256.256",
    "0x100.2.3.4",
    "foo.0x4",
    "1.2.3.08",
    "1.2.3.08.",
    "4294967296",
    "a.1",
    "09.2.3.4",

    "1.2.3.4.5.",
    "foo.2.3",
    "256.1",
    "1.256.1.1",
    "1.2.65536",
    "0xffffffff1",
    "99999999999999999999999999",

    "..1",
    "1..1",
    /* Bytes that no host has, as they are, encoded, and in wide forms. */
    "a\x7f"
    "b",
    "a|b",
    "a b",
    "a%20b",
    "a%00b",
    "a%7fb",
    "a%7Cb",
    "a;b",
    "a,b",
    "a\"b",
    "a<b",
    "a>b",
    "a^b",
    "a`b",
    "a{b",
    "a}b",
    "a!b",
    "a$b",
    "a&b",
    "a'b",
    "a(b",
    "a)b",
    "a*b",
    "a+b",
    "a=b",
    "a@b",
    "a%40b",
    "a:b",
    "a%3ab",
    "a/b",
    "a%2fb",
    "a\\b",
    "a%5cb",
    "a?b",
    "a#b",
    "a%",
    "a%4",
    "a%zz",
    "a%25b",
    "a[b",
    "a]b",
    "a\xef\xbc\x8f"
    "b",
    "a\xef\xbc\xa0"
    "b",
    "a\xef\xbc\x9a"
    "b",
    "\xc2\xad",
    "b\xfc"
    "cher",
    /* Brackets. */
    "[",
    "]",
    "[]",
    "[::1",
    "::1]",
    "[::1]]",
    "[[::1]",
    "[::%31]",
    "[::1%]",
    "[::1%25]",
    "[::1%25lo]",
    "[fe80::1%lo]",
    "[fe80::1%25]",
    "[fe80::1%25a/b]",
    "[fe80::1%25a%41]",
    "[fe80::1%250123456789abcdef]",
    "[::zz]",
    "[1.2.3.4]",
    "[::1.2.3]",
    "[::1%2500]",
    "[1::2::3]",
    "[12345::]",
    "[::1 ]",
    "[:1]",
    "::1",
    "x[::1]",
    "[::1]x",
};

static void test_x_14_all_else_is_no_host(void **state)
{
    for (size_t i = 0; i < sizeof no_hosts / sizeof *no_hosts; i++)
        if (host_of(no_hosts[i]))
            fail_msg("'%s' passes as '%s'", no_hosts[i], host_of(no_hosts[i]));
    char name[2000];
    memset(name, 'a', sizeof name);
    for (size_t len = 254; len < 258; len++) {
        struct spt_hostname host;
        const char *word = spt_hostname_read(&host, name, len);
        assert_int_equal(word == NULL, len <= 255);
    }
    struct spt_hostname host;
    assert_non_null(spt_hostname_read(&host, name, sizeof name));
    assert_non_null(spt_hostname_read(&host, "a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x_14_a_host_has_one_form),
        cmocka_unit_test(test_x_14_all_else_is_no_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
