/* Bodies as they were before they were packed for the wire: gzip, deflate, Brotli and Zstandard.
 * libcurl's own decoders take one that breaks off for a whole one. It knows no requests. */
#ifndef SPT_HTTP_DECODE_H
#define SPT_HTTP_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#define SPT_CODINGS "gzip, deflate, br, zstd" /* as Accept-Encoding has them */

/* Bytes in without one out that a decoder takes. More than any of the formats needs: a block of
 * Zstandard has 128 KiB. */
#define SPT_DECODER_SILENT_MAX (1024 * 1024)

struct spt_decoder;

/* What a Content-Encoding names, in all of its lines; zeroed at the beginning. */
struct spt_codings {
    int coding; /* private to decode.c; 0: none */
};

/* Adds a line of the list. Returns SEPTET_OK, or SEPTET_EINVAL for a coding that is not known, and
 * for one over another. */
int spt_codings_add(struct spt_codings *codings, const char *list, size_t len);

/* Makes a decoder for the codings; `*out` is NULL where nothing is to be decoded. Returns SEPTET_OK
 * or SEPTET_ENOMEM. */
int spt_decoder_new(struct spt_decoder **out, const struct spt_codings *codings);
void spt_decoder_free(struct spt_decoder *decoder); /* NULL is harmless */

/* Takes what it can from `*in`, which it moves on, and writes at most `size` bytes: their number
 * goes to `*written`. To be called until all is taken and less than `size` was written. Returns
 * SEPTET_OK, SEPTET_ENOMEM, SEPTET_EINVAL for bytes that are not of that coding, or come behind its
 * end, or SEPTET_ETOOBIG for too many bytes that say nothing. */
int spt_decoder_step(struct spt_decoder *decoder, const char **in, size_t *len, char *out,
                     size_t size, size_t *written);

/* Has all that was packed come? So where nothing came at all. */
bool spt_decoder_ended(const struct spt_decoder *decoder);

#endif
