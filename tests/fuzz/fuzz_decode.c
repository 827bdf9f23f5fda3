/* SPDX-License-Identifier: MIT */
/* Decoders: packed bytes give the same in any pieces, in and out; what a decoder takes for whole is
 * what its library makes of all of it at once; and so many bytes in without one out end it. */
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "fuzz.h"
#include "http/decoder.h"
#include "septet/septet.h"

enum { OUT_MAX = 1 << 18, AGAIN_MAX = 3 << 19, CODINGS = 4 };

static const char *const names[CODINGS] = {"gzip", "deflate", "br", "zstd"};

struct outcome {
    int rc;
    bool ended;
    size_t len;
    uint8_t out[OUT_MAX];
};

static struct spt_decoder *new_decoder(unsigned coding)
{
    struct spt_codings codings = {0};
    struct spt_decoder *d = NULL;
    CHECK(spt_decoder_add_codings(&codings, names[coding], strlen(names[coding])) == SEPTET_OK);
    CHECK(spt_decoder_new(&d, &codings) == SEPTET_OK);
    return d;
}

/* Decodes a piece. Returns false at an error, or where there is more than fits. */
static bool feed(struct spt_decoder *d, const uint8_t *data, size_t len, size_t out,
                 struct outcome *o)
{
    const char *in = (const char *)data;
    size_t n;
#ifdef SPT_FUZZ_PLANT
    if (len > 7) { /* a byte is lost between two pieces */
        in++;
        len--;
    }
#endif
    do {
        size_t size = OUT_MAX - o->len < out ? OUT_MAX - o->len : out;
        if (size == 0)
            return false;
        o->rc = spt_decoder_step(d, &in, &len, (char *)o->out + o->len, size, &n);
        CHECK(n <= size);
        if (o->rc != SEPTET_OK)
            return false;
        o->len += n;
        if (n < size)
            continue;
        if (o->len == OUT_MAX)
            return false;
    } while (len > 0 || n == out);
    return true;
}

static void decode(unsigned coding, const uint8_t *data, size_t len, size_t in, size_t out,
                   struct outcome *o)
{
    struct spt_decoder *d = new_decoder(coding);
    o->rc = SEPTET_OK;
    o->len = 0;
    for (size_t at = 0; at < len; at += in)
        if (!feed(d, data + at, len - at < in ? len - at : in, out, o))
            break;
    o->ended = o->rc == SEPTET_OK && o->len < OUT_MAX && spt_decoder_ended(d);
    spt_decoder_free(d);
}

/* --- the libraries, at once --- */

static bool inflate_all(const uint8_t *data, size_t len, int bits, bool members, struct outcome *o)
{
    z_stream z = {
        .next_in = (Bytef *)data, .avail_in = (uInt)len, .next_out = o->out, .avail_out = OUT_MAX};
    CHECK(inflateInit2(&z, bits) == Z_OK);
    int rc = inflate(&z, Z_FINISH);
    while (rc == Z_STREAM_END && members && z.avail_in > 0) {
        inflateReset(&z);
        rc = inflate(&z, Z_FINISH);
    }
    o->len = OUT_MAX - z.avail_out;
    bool whole = rc == Z_STREAM_END && z.avail_in == 0;
    inflateEnd(&z);
    return whole;
}

static bool at_once(unsigned coding, const uint8_t *data, size_t len, struct outcome *o)
{
    switch (coding) {
    case 0:
        return inflate_all(data, len, 16 + MAX_WBITS, true, o);
    case 1:
        return inflate_all(data, len, (data[0] & 15) == Z_DEFLATED ? MAX_WBITS : -MAX_WBITS, false,
                           o);
    case 2:
        o->len = OUT_MAX;
        return BrotliDecoderDecompress(len, data, &o->len, o->out) == BROTLI_DECODER_RESULT_SUCCESS;
    default:
        o->len = ZSTD_decompress(o->out, OUT_MAX, data, len);
        return !ZSTD_isError(o->len);
    }
}

/* Packs, and returns the length. */
static size_t pack(unsigned coding, const uint8_t *data, size_t len, uint8_t *to, size_t size)
{
    if (coding == 2) {
        CHECK(BrotliEncoderCompress(1, 16, BROTLI_MODE_GENERIC, len, data, &size, to));
        return size;
    }
    if (coding == 3)
        return ZSTD_compress(to, size, data, len, 1);
    z_stream z = {
        .next_in = (Bytef *)data, .avail_in = (uInt)len, .next_out = to, .avail_out = (uInt)size};
    CHECK(deflateInit2(&z, 1, Z_DEFLATED, coding == 0 ? 31 : 15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    size_t n = size - z.avail_out;
    deflateEnd(&z);
    return n;
}

static struct outcome whole, parts, library;

static void check_packed(unsigned coding, const uint8_t *data, size_t len, size_t in, size_t out)
{
    decode(coding, data, len, len, OUT_MAX, &whole);
    decode(coding, data, len, in, out, &parts);
    if (whole.len < OUT_MAX && parts.len < OUT_MAX) {
        CHECK(whole.rc == parts.rc && whole.ended == parts.ended);
        if (whole.rc == SEPTET_OK)
            CHECK(whole.len == parts.len && memcmp(whole.out, parts.out, whole.len) == 0);
    }
    if (!whole.ended || len == 0)
        return;
    CHECK(at_once(coding, data, len, &library));
    CHECK(library.len == whole.len && memcmp(library.out, whole.out, whole.len) == 0);
}

static void check_plain(unsigned coding, const uint8_t *data, size_t len, size_t in, size_t out)
{
    static uint8_t packed[65536];
    size_t n = pack(coding, data, len, packed, sizeof packed);
    decode(coding, packed, n, in, out, &parts);
    CHECK(parts.rc == SEPTET_OK && parts.ended);
    CHECK(parts.len == len && memcmp(parts.out, data, len) == 0);
    check_packed(coding, packed, n, in, out);
}

/* The first half of the input, then the rest over and over: the decoder ends, or says something now
 * and then. */
static void check_again(unsigned coding, const uint8_t *data, size_t len)
{
    struct spt_decoder *d = new_decoder(coding);
    size_t half = len / 2, silent = 0, sent = 0;
    whole.len = 0;
    bool goes_on = len - half > 16 && feed(d, data, half, OUT_MAX, &whole);
    while (goes_on && sent < AGAIN_MAX) {
        whole.len = 0;
        goes_on = feed(d, data + half, len - half, OUT_MAX, &whole);
        sent += len - half;
        silent = whole.len > 0 ? 0 : silent + len - half;
        CHECK(silent <= SPT_DECODER_SILENT_MAX + len || !goes_on);
    }
    spt_decoder_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    unsigned how = input_byte(&input), coding = how % CODINGS;
    size_t in = input_below(&input, 64) + 1u, out = input_below(&input, 300) + 1u;
    if (input.len == 0)
        return 0;
    if (how / CODINGS % 8 == 7)
        check_again(coding, input.data, input.len);
    else if (how / CODINGS % 2)
        check_plain(coding, input.data, input.len, in, out);
    else
        check_packed(coding, input.data, input.len, in, out);
    return 0;
}
