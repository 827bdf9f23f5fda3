/* SPDX-License-Identifier: MIT */
/* Decoders: fed in any pieces, read in any pieces, cut short, and given codings that they do not
 * know. */
#include "http/decoder.h"

#include <string.h>

#include "septet/septet.h"
#include "support/cmocka.h"

#define PLAIN "hello hello hello hello hello hello hello hello "

static const struct packed {
    const char *coding, *bytes;
    size_t len;
} all[] = {
    {"gzip",
     "\037\213\010\000\000\000\000\000\002\003\313\110\315\311\311\127\310\040\232\004\000\165\153"
     "\262\104\060\000\000\000",
     29},
    {"deflate", "\170\332\313\110\315\311\311\127\310\040\232\004\000\265\067\021\241", 17},
    {"br", "\203\027\200" PLAIN "\3", 52},
    {"zstd", "\050\265\057\375\000\130\201\001\000" PLAIN, 57},
};

/* Makes a decoder for one line of codings. */
static int new_decoder(struct spt_decoder **d, const char *line)
{
    struct spt_codings codings = {0};
    *d = NULL;
    int rc = spt_decoder_add_codings(&codings, line, strlen(line));
    return rc == SEPTET_OK ? spt_decoder_new(d, &codings) : rc;
}

/* Feeds `len` bytes in pieces of `in`, reading in pieces of `out`; returns what spt_decoder_step
 * did. */
static int feed(struct spt_decoder *d, const char *bytes, size_t len, size_t in, size_t out,
                char *plain, size_t *plain_len)
{
    for (size_t at = 0; at < len; at += in) {
        const char *p = bytes + at;
        size_t left = len - at < in ? len - at : in, written;
        do {
            int rc = spt_decoder_step(d, &p, &left, plain + *plain_len, out, &written);
            if (rc != SEPTET_OK)
                return rc;
            *plain_len += written;
        } while (left > 0 || written == out);
    }
    return SEPTET_OK;
}

static void test_decoders_take_any_pieces(void **state)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t in = 1; in <= all[i].len; in++)
            for (size_t out = 1; out <= 64; out += 9) {
                struct spt_decoder *d;
                char plain[256];
                size_t len = 0;
                assert_int_equal(new_decoder(&d, all[i].coding), SEPTET_OK);
                assert_true(spt_decoder_ended(d));
                assert_int_equal(feed(d, all[i].bytes, all[i].len, in, out, plain, &len),
                                 SEPTET_OK);
                assert_true(spt_decoder_ended(d));
                assert_int_equal(len, strlen(PLAIN));
                assert_memory_equal(plain, PLAIN, len);
                spt_decoder_free(d);
            }
}

static void test_decoders_know_what_is_cut_short(void **state)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t n = 1; n < all[i].len; n++) {
            struct spt_decoder *d;
            char plain[256];
            size_t len = 0;
            assert_int_equal(new_decoder(&d, all[i].coding), SEPTET_OK);
            assert_int_equal(feed(d, all[i].bytes, n, n, 64, plain, &len), SEPTET_OK);
            assert_false(spt_decoder_ended(d));
            spt_decoder_free(d);
        }
}

/* The library would decode the formats before RFC 8878, if their first bytes came together. */
static void test_zstd_refuses_other_frames_in_any_pieces(void **state)
{
    char bytes[57 + 12] = "\050\265\057\375\000\130\201\001\000" PLAIN;
    for (size_t begin = 0; begin <= 57; begin += 57) /* as the first frame, and as the second */
        for (int first = 0; first < 256; first++) {
            bool known = first == 0x28 || (first >= 0x50 && first <= 0x5f);
            for (size_t in = 1; !known && in <= sizeof bytes; in += 4) {
                struct spt_decoder *d;
                char plain[256];
                size_t len = 0;
                memcpy(bytes, all[3].bytes, 57);
                memcpy(bytes + begin, "\0\265\057\375\0\0\0\0\0\0\0", 12);
                bytes[begin] = (char)first;
                assert_int_equal(new_decoder(&d, "zstd"), SEPTET_OK);
                assert_int_equal(feed(d, bytes, sizeof bytes, in, 64, plain, &len), SEPTET_EINVAL);
                assert_int_equal(len, begin > 0 ? strlen(PLAIN) : 0);
                spt_decoder_free(d);
            }
        }
}

static void check(const char *codings, int rc, int decodes)
{
    struct spt_decoder *d;
    assert_int_equal(new_decoder(&d, codings), rc);
    assert_int_equal(d != NULL, decodes);
    spt_decoder_free(d);
}

static void test_decoders_are_found_by_name(void **state)
{
    check("", SEPTET_OK, 0);
    check(" identity", SEPTET_OK, 0);
    check(" GZip ", SEPTET_OK, 1);
    check("identity, x-gzip", SEPTET_OK, 1);
    check("gzip, br", SEPTET_EINVAL, 0);
    check("gzi", SEPTET_EINVAL, 0);
    check("rot13", SEPTET_EINVAL, 0);
    check(", ,gzip,,", SEPTET_OK, 1);
    check("gzip identity", SEPTET_EINVAL, 0);
    check("\"gzip\"", SEPTET_EINVAL, 0);
    check("gzip;q=1", SEPTET_EINVAL, 0);
}

static void test_h_3_lines_of_codings_are_one_list(void **state)
{
    static const char *const lines[][3] = {{"identity", "gzip", ""}, {"gzip", "identity", ","}};
    static const char *const refused[][3] = {
        {"gzip", "gzip", ""}, {"br", "", "gzip"}, {"", "gzip", "x"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct spt_codings codings = {0};
        struct spt_decoder *d;
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(spt_decoder_add_codings(&codings, lines[i][j], strlen(lines[i][j])),
                             SEPTET_OK);
        assert_int_equal(spt_decoder_new(&d, &codings), SEPTET_OK);
        assert_non_null(d);
        spt_decoder_free(d);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct spt_codings codings = {0};
        int rc = SEPTET_OK;
        for (size_t j = 0; j < 3; j++)
            if (rc == SEPTET_OK)
                rc = spt_decoder_add_codings(&codings, refused[i][j], strlen(refused[i][j]));
        assert_int_equal(rc, SEPTET_EINVAL);
    }
}

#define TIMES(text) text, sizeof text - 1

/* Ways of each coding to say nothing for ever: how it begins, and what comes over and over. */
static const struct silence {
    const char *coding, *begin;
    size_t begin_len;
    const char *again;
    size_t again_len;
} silences[] = {
    {"gzip", TIMES(""),
     TIMES("\037\213\010\0\0\0\0\0\2\3\3\0\0\0\0\0\0\0\0\0")},              /* empty members */
    {"gzip", TIMES("\037\213\010\010\0\0\0\0\2\3"), TIMES("x")},            /* a file's name */
    {"gzip", TIMES("\037\213\010\020\0\0\0\0\2\3"), TIMES("x")},            /* a comment */
    {"gzip", TIMES("\037\213\010\0\0\0\0\0\2\3"), TIMES("\0\0\0\377\377")}, /* empty blocks */
    {"deflate", TIMES("\170\234"), TIMES("\0\0\0\377\377")},                /* ... of zlib */
    {"deflate", TIMES(""), TIMES("\0\0\0\377\377")},                        /* ... without a head */
    {"br", TIMES("\014"), TIMES("\006")},                                   /* empty metadata */
    {"zstd", TIMES(""), TIMES("\120\052\115\030\0\0\0\0")},                 /* skippable frames */
    {"zstd", TIMES(""), TIMES("\120\052\115\030\4\0\0\0abcd")}, /* ... that are not empty */
    {"zstd", TIMES(""), TIMES("\050\265\057\375\040\0\1\0\0")}, /* empty frames */
    {"zstd", TIMES("\050\265\057\375\0\130"), TIMES("\0\0\0")}, /* empty blocks */
};

static void test_h_10_bytes_that_say_nothing_end(void **state)
{
    for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
        const struct silence *s = &silences[i];
        struct spt_decoder *d;
        size_t sent = 0, written = 0;
        char out[64];
        assert_int_equal(new_decoder(&d, s->coding), SEPTET_OK);
        int rc = feed(d, s->begin, s->begin_len, 64, sizeof out, out, &written);
        for (; rc == SEPTET_OK && sent < 4 * SPT_DECODER_SILENT_MAX; sent += s->again_len)
            rc = feed(d, s->again, s->again_len, 64, sizeof out, out, &written);
        assert_int_equal(rc, SEPTET_ETOOBIG);
        assert_in_range(sent, SPT_DECODER_SILENT_MAX - 64, SPT_DECODER_SILENT_MAX + 64);
        assert_int_equal(written, 0);
        spt_decoder_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoders_take_any_pieces),
        cmocka_unit_test(test_decoders_know_what_is_cut_short),
        cmocka_unit_test(test_zstd_refuses_other_frames_in_any_pieces),
        cmocka_unit_test(test_decoders_are_found_by_name),
        cmocka_unit_test(test_h_10_bytes_that_say_nothing_end),
        cmocka_unit_test(test_h_3_lines_of_codings_are_one_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
