/* SPDX-License-Identifier: MIT */
/* Header lines out and in, URLs, and the words for libcurl's codes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/curl_error.h"
#include "http/head.h"
#include "http/headers.h"
#include "septet/septet.h"
#include "support/cmocka.h"

static struct spt_header pair(const char *name, const char *value)
{
    return (struct spt_header){name, strlen(name), value, strlen(value)};
}

static void test_headers_are_laid_out_for_libcurl(void **state)
{
    const struct spt_header pairs[] = {pair("A", "1"), pair("B", ""), pair("content-TYPE", "x/y")};
    struct spt_headers *headers;
    const char *why;
    size_t at;
    assert_int_equal(spt_headers_new(&headers, pairs, 3, &why, &at), SEPTET_OK);
    struct curl_slist *l = spt_headers_list(headers, true);
    assert_string_equal(l->data, "Expect:");
    l = l->next;
    assert_ptr_equal(l, spt_headers_list(headers, false));
    assert_string_equal(l->data, "Accept-Encoding:");
    assert_string_equal(l->next->data, "A: 1");
    assert_string_equal(l->next->next->data, "B;");
    assert_string_equal(l->next->next->next->data, "content-TYPE: x/y");
    assert_null(l->next->next->next->next);
    spt_headers_free(headers);
    assert_string_equal(spt_headers_list(NULL, true)->data, "Expect:");
    assert_string_equal(spt_headers_list(NULL, true)->next->data, "Content-Type:");
}

static void test_bad_headers_are_refused_by_index(void **state)
{
    const struct spt_header nul = {"N", 1, "a\0b", 3};
    const struct spt_header bad[] = {
        pair("", "x"),
        pair("a b", "x"),
        pair("a:", "x"),
        pair("a\r\nb", "x"),
        pair("a", "x\r\nb: 1"),
        pair("a", "x\n"),
        pair("a\x80", "x"),
        nul,
        pair("Content-Length", "3"),
        pair("host", "other"),
        pair("transfer-encoding", "chunked"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct spt_header pairs[] = {pair("Host", "one"), bad[i], pair("Z", "1")};
        struct spt_headers *headers = NULL;
        const char *why = NULL;
        size_t at = 99;
        assert_int_equal(spt_headers_new(&headers, pairs, 3, &why, &at), SEPTET_EINVAL);
        assert_null(headers);
        assert_non_null(why);
        assert_int_equal(at, 1);
    }
}

struct collected {
    struct spt_head head;
    struct spt_buf buf;
};

static int feed(struct collected *c, const char *line)
{
    return spt_head_line(&c->head, &c->buf, line, strlen(line));
}

static void feed_ok(struct collected *c, const char *line)
{
    assert_int_equal(feed(c, line), SEPTET_OK);
}

static void assert_head(struct collected *c, const char *text)
{
    assert_int_equal(c->buf.len, strlen(text));
    assert_memory_equal(c->buf.data, text, strlen(text));
}

static void test_head_keeps_the_final_one_alone(void **state)
{
    struct collected c = {.buf.max = 1000};
    feed_ok(&c, "HTTP/1.1 103 Early Hints\r\n");
    feed_ok(&c, "Link: x\r\n");
    feed_ok(&c, "\r\n");
    assert_false(c.head.done);
    feed_ok(&c, "HTTP/1.0 200 OK\n");
    feed_ok(&c, "A: 1\r\n");
    feed_ok(&c, " folded\r\n");
    feed_ok(&c, "B:\n");
    feed_ok(&c, "\n");
    assert_true(c.head.done);
    feed_ok(&c, "Trailer: late\r\n");
    assert_head(&c, "HTTP/1.0 200 OK\r\nA: 1 folded\r\nB:");
    assert_int_equal(c.head.status, 200);
    assert_int_equal(c.head.version, 10);
    spt_buf_release(&c.buf);
}

static void test_head_reads_versions(void **state)
{
    struct collected c = {.buf.max = 1000}, d = {.buf.max = 1000};
    feed_ok(&c, "HTTP/2 204 \r\n");
    assert_int_equal(c.head.version, 20);
    assert_int_equal(c.head.status, 204);
    feed_ok(&d, "HTTP/1.1 999\r\n");
    assert_int_equal(d.head.version, 11);
    assert_int_equal(d.head.status, 999);
    spt_buf_release(&c.buf);
    spt_buf_release(&d.buf);
}

static void test_head_has_a_status_of_three_digits(void **state)
{
    static const char *const bad[] = {"HTTP/1.1 99999 x\r\n", "HTTP/1.1 2000 OK\r\n",
                                      "HTTP/1.1 20 OK\r\n",   "HTTP/1.1 2x0 OK\r\n",
                                      "HTTP/1.1 200OK\r\n",   "HTTP/1.1\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct collected c = {.buf.max = 1000};
        assert_int_equal(feed(&c, bad[i]), SEPTET_EINVAL);
        assert_string_equal(c.head.fault, "status_line");
        spt_buf_release(&c.buf);
    }
}

/* Each line is a header to libcurl, or nothing, but never a second status. */
static void test_h_11_a_status_line_is_the_first_of_its_head(void **state)
{
    static const char *const lines[] = {"HTTP/1.1: 404 Nope\r\n", "HTTP/1.1 404 Nope\r\n",
                                        "HTTP/99999999999999999999 404 x\r\n", "HTTP/: 1\r\n",
                                        "HTTP/2 500\r\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct collected c = {.buf.max = 1000};
        feed_ok(&c, "HTTP/1.1 103 Early Hints\r\n");
        feed_ok(&c, lines[i]);
        feed_ok(&c, "\r\n");
        feed_ok(&c, "HTTP/1.1 200 OK\r\n");
        feed_ok(&c, "Content-Length: 2\r\n");
        feed_ok(&c, lines[i]);
        assert_false(c.head.begins);
        feed_ok(&c, "A: 1\r\n");
        feed_ok(&c, "\r\n");
        assert_int_equal(c.head.status, 200);
        assert_int_equal(c.head.version, 11);
        assert_int_equal(c.head.length, 2);
        char text[100];
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%sA: 1", lines[i]);
        assert_head(&c, text);
        spt_buf_release(&c.buf);
    }
}

static void test_h_11_the_first_line_of_a_head_is_a_status_line(void **state)
{
    static const char *const first[] = {"A: b\r\n",
                                        "\r\n",
                                        " HTTP/1.1 200 OK\r\n",
                                        "http/1.1 200 OK\r\n",
                                        "HTTP/99999999999999999999 200 OK\r\n",
                                        "HTTP/x1.1 200 OK\r\n",
                                        "HTTP/1.10 200 OK\r\n",
                                        "HTTP/ 200 OK\r\n",
                                        "HTTP\r\n"};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        struct collected c = {.buf.max = 1000};
        assert_int_equal(feed(&c, first[i]), SEPTET_EINVAL);
        assert_string_equal(c.head.fault, "status_line");
        spt_buf_release(&c.buf);
    }
}

static void test_h_3_transfer_codings_are_read_from_all_lines(void **state)
{
    static const struct {
        const char *lines[3];
        bool chunked, undone;
    } cases[] = {
        {{"chunked"}, true, false},
        {{"CHUNKED "}, true, false},
        {{", ,chunked,,"}, true, false},
        {{"identity", "chunked"}, true, false},
        {{"identity"}, false, false},
        {{"", ","}, false, false},
        {{"gzip, chunked"}, true, true},
        {{"gzip", "chunked"}, true, true},
        {{"chunked", "gzip"}, true, true},
        {{"chunked, chunked"}, true, true},
        {{"chunked", "", "chunked"}, true, true},
        {{"chunked;foo=bar"}, false, true},
        {{"\"chunked\""}, false, true},
        {{"xchunked"}, false, true},
        {{"chunked identity"}, false, true},
        {{"identity", "x", "chunked"}, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct collected c = {.buf.max = 1000};
        feed_ok(&c, "HTTP/1.1 200 OK\r\n");
        for (size_t j = 0; j < 3 && cases[i].lines[j]; j++) {
            char line[64];
            snprintf(line, sizeof line, "Transfer-encoding:%s\r\n", cases[i].lines[j]);
            feed_ok(&c, line);
        }
        assert_true(c.head.transfer);
        assert_int_equal(c.head.chunked, cases[i].chunked);
        assert_int_equal(c.head.undone, cases[i].undone);
        spt_buf_release(&c.buf);
    }
}

static void assert_faulty(const char *first, const char *second, const char *word)
{
    struct collected c = {.buf.max = 1000};
    feed_ok(&c, "HTTP/1.1 200 OK\r\n");
    if (first)
        feed_ok(&c, first);
    assert_int_equal(feed(&c, second), SEPTET_EINVAL);
    assert_string_equal(c.head.fault, word);
    spt_buf_release(&c.buf);
}

static void test_head_refuses_lengths_that_are_none_or_differ(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "-1",
                                      "+1",
                                      "1x",
                                      "0x1",
                                      "1 1",
                                      "1,",
                                      "1, 2",
                                      "9223372036854775808",
                                      "99999999999999999999"};
    char line[64];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(line, sizeof line, "content-LENGTH: %s\r\n", bad[i]);
        assert_faulty(NULL, line, "length");
    }
    assert_faulty("Content-Length: 3\r\n", "Content-Length: 5\r\n", "length");
}

static void test_head_reads_the_framing(void **state)
{
    struct collected c = {.buf.max = 1000};
    feed_ok(&c, "HTTP/1.1 100 Continue\r\n");
    assert_true(c.head.begins);
    feed_ok(&c, "Content-Length: 5\r\n");
    assert_false(c.head.begins);
    feed_ok(&c, "\r\n");
    assert_true(c.head.ended);
    feed_ok(&c, "HTTP/1.1 200 OK\r\n");
    assert_int_equal(c.head.length, -1);
    feed_ok(&c, "Content-Length:\t3 , 3\r\n");
    feed_ok(&c, "Content-Length: 003\r\n");
    feed_ok(&c, "Content-Lengthy: x\r\n");
    assert_int_equal(c.head.length, 3);
    assert_false(c.head.chunked);
    feed_ok(&c, "Transfer-Encoding: chunked\r\n");
    assert_true(c.head.chunked);
    feed_ok(&c, "\r\n");
    feed_ok(&c, "Content-Length: a trailer\r\n");
    assert_int_equal(c.head.length, 3);
    spt_buf_release(&c.buf);
}

static void test_head_has_no_cr_and_no_fold_onto_nothing(void **state)
{
    struct collected c = {.buf.max = 1000};
    feed_ok(&c, "HTTP/1.1 200 OK\r\n");
    feed_ok(&c, "A: b\rc\r\r\n");
    assert_head(&c, "HTTP/1.1 200 OK\r\nA: b c");
    spt_buf_release(&c.buf);
    assert_faulty(NULL, " A: b\r\n", "header");
    assert_faulty(NULL, "\tb\n", "header");
    assert_faulty("Content-Length: 3\r\n", " 4\r\n", "length");
    assert_faulty("Transfer-Encoding: gzip,\r\n", "\tchunked\r\n", "transfer_encoding");
}

static void test_head_is_limited(void **state)
{
    struct collected c = {.buf.max = 100};
    char line[101];
    memset(line, 'x', 100);
    line[100] = '\0';
    feed_ok(&c, "HTTP/1.1 200 OK\r\n");
    assert_int_equal(feed(&c, line), SEPTET_ETOOBIG);
    spt_buf_release(&c.buf);
    struct collected flood = {.buf.max = 1000};
    int rc = SEPTET_OK, lines = 0;
    for (; rc == SEPTET_OK && lines < 10000; lines++)
        rc = feed(&flood, lines % 2 ? "\r\n" : "HTTP/1.1 100 Continue\r\n");
    assert_int_equal(rc, SEPTET_ETOOBIG);
    spt_buf_release(&flood.buf);
}

static void assert_words(CURLcode code, long os_errno, const char *text, const char *expect)
{
    struct spt_error_words w = spt_curl_error(code, os_errno, 0, text);
    char got[64];
    snprintf(got, sizeof got, "%s.%s", w.code, w.reason ? w.reason : "");
    assert_string_equal(got, expect);
}

static void assert_verify(long verified, const char *text, const char *expect)
{
    struct spt_error_words w = spt_curl_error(CURLE_PEER_FAILED_VERIFICATION, 0, verified, text);
    assert_string_equal(w.code, "tls");
    assert_string_equal(w.reason, expect);
}

static void test_words_for_certificates(void **state)
{
    assert_verify(9, "", "not_yet_valid");
    assert_verify(10, "", "expired");
    assert_verify(18, "", "self_signed");
    assert_verify(19, "", "unknown_ca");
    assert_verify(20, "", "unknown_ca");
    assert_verify(0, "SSL: no alternative certificate subject name matches target host name 'a'",
                  "host");
    assert_verify(0, "SSL: certificate subject name 'b' does not match target hostname 'a'",
                  "host");
    assert_verify(23, "", "verify"); /* revoked */
}

static void test_words_for_codes(void **state)
{
    assert_null(spt_curl_error(CURLE_OK, 0, 0, "").code);
    assert_words(CURLE_COULDNT_RESOLVE_HOST, 0, "", "dns.not_found");
    assert_words(CURLE_COULDNT_CONNECT, ECONNREFUSED, "", "connect.refused");
    assert_words(CURLE_COULDNT_CONNECT, EHOSTUNREACH, "", "connect.unreachable");
    assert_words(CURLE_COULDNT_CONNECT, 0, "", "connect.");
    assert_words(CURLE_PEER_FAILED_VERIFICATION, 0, "", "tls.verify");
    assert_words(CURLE_RECV_ERROR, 0, "Recv failure: Connection reset by peer", "reset.receive");
    assert_words(CURLE_RECV_ERROR, 0, "Illegal or missing hexadecimal sequence in chunked-encoding",
                 "protocol.chunk");
    assert_words(CURLE_RECV_ERROR, 0, "Received HTTP code 407 from proxy after CONNECT",
                 "connect.proxy_auth");
    assert_words(CURLE_RECV_ERROR, 0, "CONNECT tunnel failed, response 407", "connect.proxy_auth");
    assert_words(CURLE_RECV_ERROR, 0, "Received HTTP code 502 from proxy after CONNECT",
                 "connect.proxy");
    assert_words(CURLE_PARTIAL_FILE, 0, "", "partial.truncated");
    assert_words(CURLE_BAD_CONTENT_ENCODING, 0, "", "protocol.transfer_encoding");
    assert_words(CURLE_BAD_CONTENT_ENCODING, 0,
                 "Reject response due to more than 5 content encodings", "decode.content_encoding");
    assert_words((CURLcode)100, 0, "", "headers_too_large."); /* since libcurl 8.6.0 */
    assert_words(CURLE_FAILED_INIT, 0, "", "internal.");
    for (int code = 1; code < CURL_LAST; code++)
        assert_non_null(spt_curl_error((CURLcode)code, 0, 0, "").code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_laid_out_for_libcurl),
        cmocka_unit_test(test_bad_headers_are_refused_by_index),
        cmocka_unit_test(test_head_keeps_the_final_one_alone),
        cmocka_unit_test(test_head_reads_versions),
        cmocka_unit_test(test_head_has_a_status_of_three_digits),
        cmocka_unit_test(test_h_11_a_status_line_is_the_first_of_its_head),
        cmocka_unit_test(test_h_11_the_first_line_of_a_head_is_a_status_line),
        cmocka_unit_test(test_h_3_transfer_codings_are_read_from_all_lines),
        cmocka_unit_test(test_head_refuses_lengths_that_are_none_or_differ),
        cmocka_unit_test(test_head_reads_the_framing),
        cmocka_unit_test(test_head_has_no_cr_and_no_fold_onto_nothing),
        cmocka_unit_test(test_head_is_limited),
        cmocka_unit_test(test_words_for_codes),
        cmocka_unit_test(test_words_for_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
