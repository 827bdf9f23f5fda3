/* SPDX-License-Identifier: MIT */
/* Secrets of URLs and headers: which are hidden, and where the room ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"
#include "support/cmocka.h"

#define HOST "https://host.test/a"

static void check(const char *url, const char *expected)
{
    char out[256];
    assert_string_equal(spt_redact_kept_url(url, out, sizeof out), expected);
}

static void test_secrets_of_a_query_are_hidden(void **state)
{
    static const char *const names[] = {"X-Amz-Signature",
                                        "X-Amz-Credential",
                                        "X-Amz-Security-Token",
                                        "AWSAccessKeyId",
                                        "Signature",
                                        "sig",
                                        "X-Goog-Signature",
                                        "access_token",
                                        "api_key",
                                        "apiKey",
                                        "key",
                                        "client_secret",
                                        "password",
                                        "X-Amz%2DSignature"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char url[128], expected[128];
        snprintf(url, sizeof url, HOST "?b=1&%s=s3cr3t%%3D/x&c=2", names[i]);
        snprintf(expected, sizeof expected, HOST "?b=1&%s=REDACTED&c=2", names[i]);
        check(url, expected);
    }
    check(HOST "?sig=1&sig=22222222222222&x=1&sig=3#access_token=4",
          HOST "?sig=REDACTED&sig=REDACTED&x=1&sig=REDACTED#access_token=REDACTED");
    check("http://user:pw@host/?token=t", "http://host/?token=REDACTED");
}

static void test_the_rest_of_a_query_is_shown(void **state)
{
    static const char *const urls[] = {HOST,
                                       HOST "?",
                                       HOST "?q=token&sort=key&signed=1&keys=2",
                                       HOST "?token=&key",
                                       HOST "/token=1?a=b=key=c",
                                       "",
                                       "?"};
    char out[8];
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        assert_ptr_equal(spt_redact_kept_url(urls[i], out, sizeof out), urls[i]);
}

static void test_a_short_buffer_cuts_what_is_shown(void **state)
{
    static const char whole[] = "?sig=REDACTED&b=1&key=REDACTED";
    for (size_t size = 1; size <= sizeof whole; size++) {
        char *out = malloc(size);
        assert_non_null(out);
        const char *shown = spt_redact_kept_url("?sig=12&b=1&key=1234567890", out, size);
        assert_ptr_equal(shown, out);
        assert_true(strlen(out) < size);
        assert_memory_equal(shown, whole, strlen(shown) < 5 ? strlen(shown) : 5);
        assert_null(strstr(shown, "=12"));
        free(out);
    }
}

static void test_headers_with_secrets(void **state)
{
    static const char *const hidden[] = {
        "Authorization",    "proxy-authorization", "Cookie",       "Set-Cookie",
        "SET-COOKIE2",      "X-Api-Key",           "Api_Key",      "apikey",
        "Private-Token",    "X-Access-Token",      "X-JWT",        "X-Jwt-Assertion",
        "WWW-Authenticate", "X-Goog-Api-Key",      "X-Session-Id", "Authentication-Info",
        "X-Auth",           "X-Vault-Token"};
    static const char *const shown[] = {"Accept",     "Content-Type",      "ETag",
                                        "Location",   "Sec-WebSocket-Key", "Idempotency-Key",
                                        "Keep-Alive", "X-Author",          ""};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (!spt_redact_hides_header(hidden[i], strlen(hidden[i])))
            fail_msg("%s", hidden[i]);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (spt_redact_hides_header(shown[i], strlen(shown[i])))
            fail_msg("%s", shown[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets_of_a_query_are_hidden),
        cmocka_unit_test(test_the_rest_of_a_query_is_shown),
        cmocka_unit_test(test_a_short_buffer_cuts_what_is_shown),
        cmocka_unit_test(test_headers_with_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
