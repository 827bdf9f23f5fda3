/* SPDX-License-Identifier: MIT */
/* Decoders for Content-Encoding: gzip, deflate, Brotli and Zstandard. libcurl's own decoders accept
 * a truncated body as a complete one. It knows no requests. */
#ifndef SPT_HTTP_DECODER_H
#define SPT_HTTP_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#define SPT_CODINGS "gzip, deflate, br, zstd" /* value of Accept-Encoding */

/* Maximum bytes of input that a decoder takes without producing output. No format needs that many:
 * a block of Zstandard has 128 KiB. */
#define SPT_DECODER_SILENT_MAX (1024 * 1024)

struct spt_decoder;

/* The coding that all Content-Encoding lines of a response name; zeroed before use. */
struct spt_codings {
    int coding; /* private to decoder.c; 0 if none */
};

/* Adds one line of the list. Returns SEPTET_OK, or SEPTET_EINVAL if a coding is unknown or is
 * applied over another. */
int spt_decoder_add_codings(struct spt_codings *codings, const char *list, size_t len);

/* Makes a decoder for the codings; `*out` is NULL if nothing is to be decoded. Returns SEPTET_OK or
 * SEPTET_ENOMEM. */
int spt_decoder_new(struct spt_decoder **out, const struct spt_codings *codings);
void spt_decoder_free(struct spt_decoder *decoder); /* NULL is a no-op */

/* Takes input from `*in`, which it advances, and writes at most `size` bytes, with their number in
 * `*written`. The caller repeats it until all input is taken and fewer than `size` bytes were
 * written.
 *
 * Returns SEPTET_OK, SEPTET_ENOMEM, or SEPTET_EINVAL for bytes that are invalid in the coding or
 * follow its end. Returns SEPTET_ETOOBIG after more than SPT_DECODER_SILENT_MAX bytes without
 * output. */
int spt_decoder_step(struct spt_decoder *decoder, const char **in, size_t *len, char *out,
                     size_t size, size_t *written);

/* Returns true if the encoded body is complete; an empty one is. */
bool spt_decoder_ended(const struct spt_decoder *decoder);

#endif
