/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648), with the usual alphabet or that for URLs. Decoding is strict: each sequence of
 * bytes has one text, or with the alphabet for URLs a second one with padding. */
#ifndef SPT_BASE_BASE64_H
#define SPT_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* The maximum number of digits, with padding, of `n` bytes. */
#define SPT_BASE64_SIZE(n) (((n) + 2) / 3 * 4)

/* Writes the digits of n bytes, without a NUL; with padding unless `for_url`. Returns their
 * number. */
size_t spt_base64_encode(char *to, const unsigned char *from, size_t n, bool for_url);

/* Writes the bytes of n digits to `to`, which has room for n bytes. Only `at_end` may there be
 * padding. Returns the number of bytes, or SIZE_MAX if the text is invalid at the offset `*bad`,
 * which is n if it is cut off. */
size_t spt_base64_decode(unsigned char *to, const char *from, size_t n, bool for_url, bool at_end,
                         size_t *bad);

#endif
