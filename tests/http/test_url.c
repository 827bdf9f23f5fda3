/* SPDX-License-Identifier: MIT */
/* URLs: what they are, the one form of each, and where references lead. */
#include "http/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/url_check.h"
#include "septet/septet.h"
#include "support/cmocka.h"

/* --- references --- */

/* The URL of a reference, "!" and the word where there is none. */
static const char *resolved(const char *base, const char *reference, enum spt_url_way way)
{
    static char out[2048];
    struct spt_url from, url;
    const char *word =
        base ? spt_url_resolve(&from, NULL, base, strlen(base), SPT_URL_ABSOLUTE) : NULL;
    assert_null(word);
    word = spt_url_resolve(&url, base ? &from : NULL, reference, strlen(reference), way);
    snprintf(out, sizeof out, "%s%s", word ? "!" : "", word ? word : url.text);
    if (!word) {
        assert_int_equal(url.len, strlen(url.text));
        assert_true(url.path <= url.query && url.query <= url.fragment && url.fragment <= url.len);
        spt_url_release(&url);
    }
    if (base)
        spt_url_release(&from);
    return out;
}

struct pair {
    const char *reference, *url;
};

#define BASE "http://a/b/c/d;p?q"

/* RFC 3986, 5.4.1 and 5.4.2. */
static const struct pair examples[] = {
    {"g:h", "!scheme"},
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g/"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q#s"},
    {"g#s", "http://a/b/c/g#s"},
    {"g?y#s", "http://a/b/c/g?y#s"},
    {";x", "http://a/b/c/;x"},
    {"g;x", "http://a/b/c/g;x"},
    {"g;x?y#s", "http://a/b/c/g;x?y#s"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {"g;x=1/../y", "http://a/b/c/y"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"g#s/./x", "http://a/b/c/g#s/./x"},
    {"g#s/../x", "http://a/b/c/g#s/../x"},
    {"http:g", "!no_scheme"},
};

static void test_x_13_references_are_resolved_as_the_standard_has_it(void **state)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        assert_string_equal(resolved(BASE, examples[i].reference, SPT_URL_LINK), examples[i].url);
        const char *below = resolved(BASE, examples[i].reference, SPT_URL_BELOW);
        bool leaves = strcmp(examples[i].reference, "//g") == 0 || *examples[i].url == '!';
        assert_string_equal(below, leaves ? "!no_scheme" : examples[i].url);
    }
    assert_string_equal(resolved("http://a/b?q#f", "", SPT_URL_LINK), "http://a/b?q");
    assert_string_equal(resolved("http://a", "x", SPT_URL_LINK), "http://a/x");
    assert_string_equal(resolved("http://a", "", SPT_URL_LINK), "http://a/");
    assert_string_equal(resolved("http://a?q", "#s", SPT_URL_LINK), "http://a/?q#s");
    assert_string_equal(resolved("http://a/b/", "?", SPT_URL_LINK), "http://a/b/?");
    assert_string_equal(resolved("https://a:8443/b", "//c", SPT_URL_LINK), "https://c/");
    assert_string_equal(resolved("https://a:8443/b", "c", SPT_URL_LINK), "https://a:8443/c");
    assert_string_equal(resolved("https://a/", "http://b:80/c", SPT_URL_BELOW), "http://b/c");
}

static void test_x_13_urls_have_one_form(void **state)
{
    static const struct pair urls[] = {
        {"HTTP://EXAMPLE.com", "http://example.com/"},
        {"http://a:80/", "http://a/"},
        {"https://a:443/", "https://a/"},
        {"https://a:80/", "https://a:80/"},
        {"http://a:/", "http://a/"},
        {"http://a:0080/", "http://a/"},
        {"http://a:65535", "http://a:65535/"},
        {"http://a?b", "http://a/?b"},
        {"http://a#b", "http://a/#b"},
        {"http://a/?", "http://a/?"},
        {"http://a/#", "http://a/#"},
        {"http://a/a/../b", "http://a/b"},
        {"http://a/%2e%2E/b/%2e", "http://a/b/"},
        {"http://a/.%2e/b/.%2Ex", "http://a/b/.%2Ex"},
        {"http://a/a//../b", "http://a/a/b"},
        {"http://a//b", "http://a//b"},
        {"http://a/..//b", "http://a//b"},
        {"http://a/...", "http://a/..."},
        {"http://a/b/..?c/..", "http://a/?c/.."},
        {"http://a/a b", "http://a/a%20b"},
        {"http://a/?a b#c d", "http://a/?a%20b#c%20d"},
        {"http://a/\xc3\xa9?\xc3\xa9#\xc3\xa9", "http://a/%C3%A9?%C3%A9#%C3%A9"},
        {"http://a/\xff", "http://a/%FF"},
        {"http://a/\"<>`{}^|'[]%", "http://a/%22%3C%3E%60%7B%7D%5E|'[]%"},
        {"http://a/?\"<>`{}^|'[]%", "http://a/?%22%3C%3E`{}^|%27[]%"},
        {"http://a/#\"<>`{}^|'[]%", "http://a/#%22%3C%3E%60{}^|'[]%"},
        {"http://a/%41%zz%7E%20", "http://a/%41%zz%7E%20"},
        {"http://a/?\\#\\", "http://a/?\\#\\"},
        {"http://a/?b?c#d#e?f", "http://a/?b?c#d#e?f"},
        {"http://a/b@c:d;e,f", "http://a/b@c:d;e,f"},
        {"http://a/?x=http://b@c/", "http://a/?x=http://b@c/"},
        {"http://127.1", "http://127.0.0.1/"},
        {"http://[0::1]:80", "http://[::1]/"},
        {"http://[fe80::1%25lo]:81", "http://[fe80::1%25lo]:81/"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_string_equal(resolved(NULL, urls[i].reference, SPT_URL_ABSOLUTE), urls[i].url);
        assert_string_equal(resolved(NULL, urls[i].url, SPT_URL_ABSOLUTE), urls[i].url);
        assert_string_equal(resolved(BASE, urls[i].reference, SPT_URL_LINK), urls[i].url);
        assert_string_equal(resolved(BASE, urls[i].reference, SPT_URL_BELOW), urls[i].url);
    }
}

static const struct pair ambiguous[] = {
    {"http://good.test\\@evil.test/", "!characters"},
    {"http://good.test:80\\@evil.test/", "!characters"},
    {"http://a/b\\c", "!characters"},
    {"http:\\\\a/", "!characters"},
    {"http:/\\a/", "!characters"},
    {"\\\\a/b", "!characters"},
    {"/\\a", "!characters"},
    {"http://a\\", "!characters"},
    {"http://u@a/", "!userinfo"},
    {"http://u:p@a/", "!userinfo"},
    {"http://@a/", "!userinfo"},
    {"http://:@a/", "!userinfo"},
    {"http://a@b@c/", "!userinfo"},
    {"http://a:80@b/", "!userinfo"},
    {"http://a:b@/", "!userinfo"},
    {"http://[::1]@a/", "!userinfo"},
    {"http://a%40b/", "!host"},
    {"http://a%5cb/", "!host"},
    {"http://a%2fb/", "!host"},
    {"http://", "!host"},
    {"http:///a", "!host"},
    {"http://?a", "!host"},
    {"http://#a", "!host"},
    {"http://:80/", "!host"},
    {"http://[::1/", "!host"},
    {"http://::1/", "!host"},
    {"http://[::1]x/", "!host"},
    {"http://a,b/", "!host"},
    {"http://a:0/", "!port"},
    {"http://a:65536/", "!port"},
    {"http://a:80:80/", "!port"},
    {"http://a:8a/", "!port"},
    {"http://a:+80/", "!port"},
    {"http://a:-1/", "!port"},
    {"http://[::1]:x/", "!port"},
    {"http://a:80%20/", "!port"},
    {"http://a:99999999999999999999/", "!port"},
    {"http:a", "!no_scheme"},
    {"http:/a", "!no_scheme"},
    {"HTTPS:a", "!no_scheme"},
    {"ftp://a/", "!scheme"},
    {"file:///a", "!scheme"},
    {"httpx://a", "!scheme"},
    {"h://a", "!scheme"},
    {" http://a/", "!characters"},
    {"http://a/ ", "!characters"},
    {"http://a/\t", "!characters"},
    {"ht\ntp://a/", "!characters"},
    {"http://a\r/", "!characters"},
    {"http://a/\x1b[31m", "!characters"},
    {"http://a/\x7f", "!characters"},
    {"/\x01", "!characters"},
};

/* What is wrong is so as a script's URL, as one below a base, and as a Location. */
static void test_h_5_urls_that_two_parsers_may_read_differently_are_none(void **state)
{
    for (size_t i = 0; i < sizeof ambiguous / sizeof *ambiguous; i++) {
        const char *reference = ambiguous[i].reference, *wrong = ambiguous[i].url;
        if (reference[0] == 'h' && strstr(reference, "://"))
            assert_string_equal(resolved(NULL, reference, SPT_URL_ABSOLUTE), wrong);
        assert_string_equal(resolved(BASE, reference, SPT_URL_LINK), wrong);
        bool bare = strspn(reference, "/\\") > 1; /* a host without a scheme */
        assert_string_equal(resolved(BASE, reference, SPT_URL_BELOW), bare ? "!no_scheme" : wrong);
    }
    struct spt_url url;
    assert_string_equal(spt_url_resolve(&url, NULL, "http://a/\0b", 11, SPT_URL_ABSOLUTE),
                        "characters");
}

/* --- the checker --- */

static const char *checked(struct spt_url_checker *u, const char *url, const char *key)
{
    static char out[2048];
    const struct spt_url_origin *origin;
    char text[256] = "", *rebuilt;
    const char *word = spt_url_check(u, url, &origin, &rebuilt, text, sizeof text);
    snprintf(out, sizeof out, "%s%s", word ? "!" : "", word ? word : rebuilt ? rebuilt : url);
    free(rebuilt);
    if (word) {
        assert_true(strlen(text) > 0);
        return out;
    }
    assert_int_equal(origin->len, strlen(key));
    assert_memory_equal(origin->key, key, strlen(key));
    const char *host = strstr(key, "://") + 3;
    assert_int_equal(origin->host_len, strrchr(host, ':') - host);
    assert_memory_equal(origin->host, host, origin->host_len);
    assert_int_equal(origin->port, atoi(strrchr(host, ':') + 1));
    assert_int_equal(origin->tls, key[4] == 's');
    return out;
}

static void test_url_origin(void **state)
{
    struct spt_url_checker u;
    assert_int_equal(spt_url_checker_init(&u), SEPTET_OK);
    for (int i = 0; i < 2; i++) { /* parsed, then remembered */
        const char *key = "http://example.com:80";
        assert_string_equal(checked(&u, "http://Example.COM/a?b#c", key),
                            "http://example.com/a?b#c");
        assert_string_equal(checked(&u, "http://example.com?q", key), "http://example.com/?q");
        assert_string_equal(checked(&u, "http://example.com/q", key), "http://example.com/q");
        assert_string_equal(checked(&u, "http://example.com/.q", key), "http://example.com/.q");
        assert_string_equal(checked(&u, "http://example.com/%2e?..", key),
                            "http://example.com/?..");
        assert_string_equal(checked(&u, "http://example.com./", "http://example.com.:80"),
                            "http://example.com./");
        checked(&u, "HTTPS://example.com", "https://example.com:443");
        checked(&u, "https://example.com:8443/", "https://example.com:8443");
        checked(&u, "http://[::1]:81/x", "http://[::1]:81");
        checked(&u, "http://[fe80::1%25lo]:81/x", "http://[fe80::1%25lo]:81");
        checked(&u, "http://0x7f.1:81/x", "http://127.0.0.1:81");
    }
    spt_url_checker_release(&u);
}

/* One with an origin that is remembered is checked all the same. */
static void test_h_5_a_url_of_a_known_origin_is_still_checked(void **state)
{
    static const struct pair urls[] = {
        {"http://a.test/x y", "http://a.test/x%20y"},
        {"http://a.test/\t", "!characters"},
        {"http://a.test\\@b.test/", "!characters"},
        {"http://a.test/\\x", "!characters"},
        {"http://a.test\\/", "!characters"},
        {"http://a.test@b.test/", "!userinfo"},
        {"http://a.test/a@b", "http://a.test/a@b"},
        {"http://a.test:81/", "http://a.test:81/"},
        {"http://a.tesu/", "http://a.tesu/"},
        {"http://a.test/a/../b", "http://a.test/b"},
        {"http://a.test/\xc3\xa9", "http://a.test/%C3%A9"},
        {"http://a.test/?'", "http://a.test/?%27"},
        {"http://a.test/#`", "http://a.test/#%60"},
        {"http://a.test:80/", "http://a.test/"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct spt_url_checker cold, warm;
        const char *key = strstr(urls[i].url, ":81")    ? "http://a.test:81"
                          : strstr(urls[i].url, "tesu") ? "http://a.tesu:80"
                                                        : "http://a.test:80";
        assert_int_equal(spt_url_checker_init(&cold), SEPTET_OK);
        assert_int_equal(spt_url_checker_init(&warm), SEPTET_OK);
        checked(&warm, "http://a.test/", "http://a.test:80");
        assert_string_equal(checked(&cold, urls[i].reference, key), urls[i].url);
        assert_string_equal(checked(&warm, urls[i].reference, key), urls[i].url);
        assert_string_equal(checked(&warm, urls[i].reference, key), urls[i].url);
        spt_url_checker_release(&cold);
        spt_url_checker_release(&warm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x_13_references_are_resolved_as_the_standard_has_it),
        cmocka_unit_test(test_x_13_urls_have_one_form),
        cmocka_unit_test(test_h_5_urls_that_two_parsers_may_read_differently_are_none),
        cmocka_unit_test(test_url_origin),
        cmocka_unit_test(test_h_5_a_url_of_a_known_origin_is_still_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
