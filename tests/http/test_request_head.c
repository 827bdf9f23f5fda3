/* SPDX-License-Identifier: MIT */
/* Heads of requests: which are refused and with which word, wherever their bytes are cut. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/request_head.h"
#include "septet/septet.h"
#include "support/cmocka.h"

#define GET   "GET / HTTP/1.1\r\n"
#define HOST  "Host: a\r\n"
#define CL(n) "Content-Length: " n "\r\n"
#define TE(c) "Transfer-Encoding: " c "\r\n"
#define END   "\r\n"

struct outcome {
    int rc;
    const char *fault;
    bool done;
    size_t used;
    struct spt_request_head head;
};

/* Feeds `len` bytes, in parts that end at `cut`, or byte by byte if it is SIZE_MAX. */
static struct outcome feed(const char *bytes, size_t len, size_t cut, bool trailers)
{
    struct outcome o = {0};
    spt_request_head_init(&o.head, trailers);
    for (size_t at = 0; at < len && o.rc == SEPTET_OK && !o.head.head.done;) {
        size_t n = cut == SIZE_MAX ? 1 : at < cut ? cut - at : len - at, used;
        char *copy = malloc(n); /* so that a sanitizer sees what is read behind it */
        assert_non_null(copy);
        memcpy(copy, bytes + at, n);
        o.rc = spt_request_head_feed(&o.head, copy, n, &used);
        free(copy);
        assert_true(used <= n);
        o.used += used;
        at += n;
    }
    o.fault = o.head.head.fault;
    o.done = o.head.head.done;
    return o;
}

/* Checks the outcome of a head for each place at which it may be cut. */
static void expect(const char *text, size_t len, const char *word, bool done)
{
    for (size_t cut = 0; cut <= len + 1; cut++) {
        struct outcome o = feed(text, len, cut > len ? SIZE_MAX : cut, false);
        spt_request_head_release(&o.head);
        if (word ? o.rc != SEPTET_EINVAL || !o.fault || strcmp(o.fault, word) != 0
                 : o.rc != SEPTET_OK || o.done != done) {
            fprintf(stderr, "cut at %zu, %d, '%s' instead of '%s': %s\n", cut, o.rc,
                    o.fault ? o.fault : "none", word ? word : "none", text);
            fail();
        }
    }
}

struct example {
    const char *word, *text;
};

static void test_heads_that_are_refused(void **state)
{
    static const struct example bad[] = {
        {"request_line", "GET\r\n"},
        {"request_line", "GET /\r\n"},
        {"request_line", "GET  / HTTP/1.1\r\n"},
        {"request_line", "GET / HTTP/1.1 \r\n"},
        {"request_line", "GET /  HTTP/1.1\r\n"},
        {"request_line", "GET / a HTTP/1.1\r\n"},
        {"request_line", "GET\t/\tHTTP/1.1\r\n"},
        {"request_line", " GET / HTTP/1.1\r\n"},
        {"request_line", "G(T / HTTP/1.1\r\n"},
        {"request_line", "GET /\x7f HTTP/1.1\r\n"},
        {"request_line", "GET /\x01 HTTP/1.1\r\n"},
        {"request_line", "GET / http/1.1\r\n"},
        {"request_line", "GET / HTTP/1\r\n"},
        {"request_line", "GET / HTTP/1,1\r\n"},
        {"request_line", "GET / HTTP/11\r\n"},
        {"request_line", "GET / HTTP/1.11\r\n"},
        {"request_line", "GET / HTTP/1.x\r\n"},
        {"request_line", "GET HTTP/1.1\r\n"},
        {"request_line", " HTTP/1.1\r\n"},
        {"request_line", "/ HTTP/1.1\r\n"},
        {"request_line", "HTTP/1.1 200 OK\r\n"},
        {"request_line", "\x16\x03\x01\r\n"},
        {"version", "GET / HTTP/0.9\r\n"},
        {"version", "GET / HTTP/2.0\r\n"},
        {"version", "PRI * HTTP/2.0\r\n"},
        {"line_end", "GET / HTTP/1.1\n"},
        {"line_end", "GET / HTTP/1.1\r\r\n"},
        {"line_end", "GET /\r HTTP/1.1\r\n"},
        {"line_end", "\nGET / HTTP/1.1\r\n"},
        {"line_end", GET HOST "\n"},
        {"line_end", GET HOST "A: b\n\r\n"},
        {"line_end", GET HOST "A: b\rC: d\r\n"},
        {"line_end", GET HOST "\r\r\n"},
        {"header", GET HOST "A\r\n"},
        {"header", GET HOST ": a\r\n"},
        {"header", GET HOST "A : b\r\n"},
        {"header", GET HOST "A\t: b\r\n"},
        {"header", GET HOST "A b: c\r\n"},
        {"header", GET HOST "A(: b\r\n"},
        {"header", GET HOST "\x80: b\r\n"},
        {"header", GET HOST "A: \x01\r\n"},
        {"header", GET HOST "A: \x7f\r\n"},
        {"header", GET " A: b\r\n"},
        {"header", GET HOST " folded\r\n"},
        {"header", GET HOST "A: b\r\n\tfolded\r\n"},
        {"header", GET CL("3") " 4\r\n"},
        {"header", GET TE("chunked") " , x\r\n"},
        {"length", GET CL("")},
        {"length", GET CL("-1")},
        {"length", GET CL("+1")},
        {"length", GET CL("0x1")},
        {"length", GET CL("1 1")},
        {"length", GET CL("1,2")},
        {"length", GET CL("1") CL("2")},
        {"length", GET CL("1;2")},
        {"length", GET CL("99999999999999999999")},
        {"transfer_encoding", GET CL("3") TE("chunked") END},
        {"transfer_encoding", GET TE("chunked") CL("3") END},
        {"transfer_encoding", GET TE("chunked") TE("chunked") END},
        {"transfer_encoding", GET TE("chunked, chunked") END},
        {"transfer_encoding", GET TE("gzip, chunked") END},
        {"transfer_encoding", GET TE("chunked, gzip") END},
        {"transfer_encoding", GET TE("identity") END},
        {"transfer_encoding", GET TE("") END},
        {"transfer_encoding", GET TE("xchunked") END},
        {"transfer_encoding", GET TE("chunked;a=b") END},
        {"transfer_encoding", GET TE("\"chunked\"") END},
        {"transfer_encoding", "GET / HTTP/1.0\r\n" TE("chunked") END},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(bad[i].text, strlen(bad[i].text), bad[i].word, false);
    static const char nul[] = GET HOST "A: \0\r\n", name_nul[] = GET "A\0: b\r\n";
    static const char target_nul[] = "GET /\0 HTTP/1.1\r\n";
    expect(nul, sizeof nul - 1, "header", false);
    expect(name_nul, sizeof name_nul - 1, "header", false);
    expect(target_nul, sizeof target_nul - 1, "header", false);
}

static void test_heads_that_are_taken(void **state)
{
    static const char *const good[] = {
        GET HOST END,
        END END GET HOST END,
        "POST /a%20b?c=d#e HTTP/1.0\r\n" CL("3") END,
        "OPTIONS * HTTP/1.1\r\n" HOST END,
        "CONNECT a:443 HTTP/1.1\r\n" HOST END,
        "GET http://a/ HTTP/1.1\r\n" HOST END,
        "GET /\xc3\xa4 HTTP/1.9\r\n" HOST "A:\r\nB: \t\r\nC: \xff,\t\"d\"\r\n" END,
        "M-SEARCH!#$%&'*+.^_`|~ * HTTP/1.1\r\n" HOST END,
        GET CL("3") CL("3") END,
        GET CL("3, 3") END,
        GET TE("chunked") END,
        GET TE("Chunked") END,
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        expect(good[i], strlen(good[i]), NULL, true);
        expect(good[i], strlen(good[i]) - 1, NULL, false);
    }
}

static void test_a_head_has_its_lines_and_leaves_the_body(void **state)
{
    static const char text[] = END "POST /x HTTP/1.1\r\nHost: a\r\nb:  c \r\n" CL("3") END "abc";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct outcome o = feed(text, sizeof text - 1, cut, false);
        static const char lines[] = "POST /x HTTP/1.1\r\nHost: a\r\nb:  c \r\nContent-Length: 3";
        assert_true(o.done);
        assert_int_equal(o.used, sizeof text - 4);
        assert_int_equal(o.head.head.version, 11);
        assert_int_equal(o.head.head.length, 3);
        assert_int_equal(o.head.lines.len, sizeof lines - 1);
        assert_memory_equal(o.head.lines.data, lines, sizeof lines - 1);
        spt_request_head_release(&o.head);
    }
}

static void test_trailers_are_header_lines_alone(void **state)
{
    static const char good[] = "A: b\r\nC: d\r\n\r\nGET", none[] = "\r\nGET";
    struct outcome o = feed(good, sizeof good - 1, SIZE_MAX, true);
    assert_true(o.done && o.used == sizeof good - 4);
    assert_memory_equal(o.head.lines.data, "\r\nA: b\r\nC: d", o.head.lines.len);
    spt_request_head_release(&o.head);
    o = feed(none, sizeof none - 1, 1, true);
    assert_true(o.done && o.used == 2);
    spt_request_head_release(&o.head);
    o = feed(GET, strlen(GET), 0, true);
    assert_string_equal(o.fault, "header");
    spt_request_head_release(&o.head);
    o = feed("Transfer-Encoding: chunked\r\n\r\n", 30, 0, true);
    assert_string_equal(o.fault, "transfer_encoding");
    spt_request_head_release(&o.head);
}

/* Feeds a request line and then `line` until the head is refused. */
static int feed_endless(const char *line, size_t *bytes)
{
    struct spt_request_head r;
    size_t used;
    spt_request_head_init(&r, false);
    int rc = spt_request_head_feed(&r, GET, strlen(GET), &used);
    for (*bytes = 0; rc == SEPTET_OK && *bytes < 10 * SPT_HEAD_MAX; *bytes += strlen(line))
        rc = spt_request_head_feed(&r, line, strlen(line), &used);
    assert_true(r.lines.cap + r.line.cap <= 3 * SPT_HEAD_MAX);
    spt_request_head_release(&r);
    return rc;
}

static void test_a_head_without_an_end_is_refused(void **state)
{
    static const char *const lines[] = {"A: bbbbbbbbbbbbbbbbb\r\n", "aaaaaaaa", ":", "\r"};
    size_t bytes;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(feed_endless(lines[i], &bytes), SEPTET_ETOOBIG);
        assert_true(bytes <= SPT_HEAD_MAX + 32);
    }
    struct spt_request_head r;
    size_t used;
    int rc = SEPTET_OK;
    spt_request_head_init(&r, false);
    for (int i = 0; i < 100000 && rc == SEPTET_OK; i++)
        rc = spt_request_head_feed(&r, "\r\n", 2, &used);
    assert_int_equal(rc, SEPTET_ETOOBIG);
    spt_request_head_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_that_are_refused),
        cmocka_unit_test(test_heads_that_are_taken),
        cmocka_unit_test(test_a_head_has_its_lines_and_leaves_the_body),
        cmocka_unit_test(test_trailers_are_header_lines_alone),
        cmocka_unit_test(test_a_head_without_an_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
