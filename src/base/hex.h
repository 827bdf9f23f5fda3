/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits of bytes. */
#ifndef SPT_BASE_HEX_H
#define SPT_BASE_HEX_H

#include <stddef.h>

/* Writes 2 * n lower-case digits to `out`, without a NUL. */
static inline void spt_hex(char *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

#endif
