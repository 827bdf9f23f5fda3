/* SPDX-License-Identifier: MIT */
/* Calls zlib, brotli and zstd by one interface. Their state is created when the first byte
 * arrives. */
#include "http/decoder.h"

#include <brotli/decode.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "http/head.h"
#include "septet/septet.h"

enum { ZSTD_WINDOW_LOG = 23 }; /* 8 MiB, the limit of RFC 9659 */

enum coding { NONE, GZIP, DEFLATE, BROTLI, ZSTD };

struct spt_decoder {
    enum coding coding;
    bool begun; /* the first byte has arrived */
    bool ended;
    size_t silent; /* number of bytes read since the last one was written */
    union {
        z_stream zlib;
        BrotliDecoderState *brotli;
        ZSTD_DStream *zstd;
    };
};

/* --- zlib --- */

/* Creates a decoder for gzip or deflate. Deflate has a zlib header, which some servers leave
 * out. */
static int begin_zlib(struct spt_decoder *d, unsigned char first)
{
    int bits = d->coding == GZIP            ? 16 + MAX_WBITS
               : (first & 15) == Z_DEFLATED ? MAX_WBITS
                                            : -MAX_WBITS;
    int rc = inflateInit2(&d->zlib, bits);
    return rc == Z_OK ? SEPTET_OK : SEPTET_ENOMEM;
}

/* Returns true if a frame of RFC 8878, or one to skip, may begin with the byte. The library may
 * know formats before that one, too, but finds them only where their first bytes come together. */
static bool begins_zstd(unsigned char first)
{
    return first == 0x28 || (first & 0xf0) == 0x50;
}

/* Begins the next stream, as gzip and Zstandard allow several in a row. zstd needs no reset for
 * it. */
static int go_on(struct spt_decoder *d, unsigned char first)
{
    d->ended = false;
    if (d->coding == ZSTD)
        return begins_zstd(first) ? SEPTET_OK : SEPTET_EINVAL;
    if (d->coding != GZIP || first != 0x1f)
        return SEPTET_EINVAL;
    return inflateReset(&d->zlib) == Z_OK ? SEPTET_OK : SEPTET_EINVAL;
}

static int step_zlib(struct spt_decoder *d, const char **in, size_t *len, char *out, size_t size,
                     size_t *written)
{
    d->zlib.next_in = (Bytef *)*in;
    d->zlib.avail_in = (uInt)*len;
    d->zlib.next_out = (Bytef *)out;
    d->zlib.avail_out = (uInt)size;
    int rc = inflate(&d->zlib, Z_NO_FLUSH);
    *in = (const char *)d->zlib.next_in;
    *len = d->zlib.avail_in;
    *written = size - d->zlib.avail_out;
    d->ended = rc == Z_STREAM_END;
    if (rc == Z_MEM_ERROR)
        return SEPTET_ENOMEM;
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR ? SEPTET_OK : SEPTET_EINVAL;
}

/* --- brotli and zstd --- */

static int step_brotli(struct spt_decoder *d, const char **in, size_t *len, char *out, size_t size,
                       size_t *written)
{
    size_t left = size;
    BrotliDecoderResult rc = BrotliDecoderDecompressStream(d->brotli, len, (const uint8_t **)in,
                                                           &left, (uint8_t **)&out, NULL);
    *written = size - left;
    d->ended = rc == BROTLI_DECODER_RESULT_SUCCESS;
    return rc == BROTLI_DECODER_RESULT_ERROR ? SEPTET_EINVAL : SEPTET_OK;
}

static int step_zstd(struct spt_decoder *d, const char **in, size_t *len, char *out, size_t size,
                     size_t *written)
{
    ZSTD_inBuffer from = {*in, *len, 0};
    ZSTD_outBuffer to = {out, size, 0};
    size_t rc = ZSTD_decompressStream(d->zstd, &to, &from);
    *in += from.pos;
    *len -= from.pos;
    *written = to.pos;
    d->ended = rc == 0;
    return ZSTD_isError(rc) ? SEPTET_EINVAL : SEPTET_OK;
}

static int begin(struct spt_decoder *d, unsigned char first)
{
    d->begun = true;
    switch (d->coding) {
    case NONE:
        break;
    case GZIP:
    case DEFLATE:
        return begin_zlib(d, first);
    case BROTLI:
        d->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        return d->brotli ? SEPTET_OK : SEPTET_ENOMEM;
    case ZSTD:
        if (!begins_zstd(first))
            return SEPTET_EINVAL;
        d->zstd = ZSTD_createDStream();
        if (d->zstd)
            ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
        return d->zstd ? SEPTET_OK : SEPTET_ENOMEM;
    }
    return SEPTET_EINVAL;
}

/* --- all codings --- */

static int step(struct spt_decoder *d, const char **in, size_t *len, char *out, size_t size,
                size_t *written)
{
    switch (d->coding) {
    case NONE:
        break;
    case GZIP:
    case DEFLATE:
        return step_zlib(d, in, len, out, size, written);
    case BROTLI:
        return step_brotli(d, in, len, out, size, written);
    case ZSTD:
        return step_zstd(d, in, len, out, size, written);
    }
    return SEPTET_EINVAL;
}

int spt_decoder_step(struct spt_decoder *d, const char **in, size_t *len, char *out, size_t size,
                     size_t *written)
{
    const size_t before = *len;
    int rc = SEPTET_OK;
    *written = 0;
    if (!d->begun && *len > 0)
        rc = begin(d, (unsigned char)**in);
    else if (d->ended && *len > 0)
        rc = go_on(d, (unsigned char)**in);
    if (rc != SEPTET_OK || !d->begun || d->ended)
        return rc;
    rc = step(d, in, len, out, size, written);
    d->silent = *written > 0 ? 0 : d->silent + (before - *len);
    return rc == SEPTET_OK && d->silent > SPT_DECODER_SILENT_MAX ? SEPTET_ETOOBIG : rc;
}

bool spt_decoder_ended(const struct spt_decoder *d)
{
    return d->ended || !d->begun;
}

static const struct {
    const char *name;
    enum coding coding;
} names[] = {{"gzip", GZIP}, {"x-gzip", GZIP},   {"deflate", DEFLATE}, {"br", BROTLI},
             {"zstd", ZSTD}, {"identity", NONE}, {"none", NONE}};

static int add_coding(struct spt_codings *codings, const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) != len || strncasecmp(names[i].name, name, len) != 0)
            continue;
        if (names[i].coding != NONE && codings->coding != NONE)
            return SEPTET_EINVAL;
        codings->coding |= (int)names[i].coding;
        return SEPTET_OK;
    }
    return SEPTET_EINVAL;
}

int spt_decoder_add_codings(struct spt_codings *codings, const char *list, size_t len)
{
    size_t name_len;
    for (const char *name, *p = list; (name = spt_head_list_next(&p, list + len, &name_len));)
        if (add_coding(codings, name, name_len) != SEPTET_OK)
            return SEPTET_EINVAL;
    return SEPTET_OK;
}

int spt_decoder_new(struct spt_decoder **out, const struct spt_codings *codings)
{
    *out = NULL;
    if (codings->coding == NONE)
        return SEPTET_OK;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return SEPTET_ENOMEM;
    (*out)->coding = (enum coding)codings->coding;
    return SEPTET_OK;
}

void spt_decoder_free(struct spt_decoder *d)
{
    if (d && d->begun && d->coding <= DEFLATE)
        inflateEnd(&d->zlib);
    else if (d && d->coding == BROTLI && d->brotli)
        BrotliDecoderDestroyInstance(d->brotli);
    else if (d && d->coding == ZSTD)
        ZSTD_freeDStream(d->zstd);
    free(d);
}
