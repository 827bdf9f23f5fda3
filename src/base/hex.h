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

/* Writes n / 2 bytes for n digits of either case. Returns n, or the offset of what is no digit or
 * has no second one. */
static inline size_t spt_unhex(unsigned char *out, const char *text, size_t n)
{
    unsigned byte = 0;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i], low = (char)(c | 0x20);
        if (!((c >= '0' && c <= '9') || (low >= 'a' && low <= 'f')) || (i % 2 == 0 && i + 1 == n))
            return i;
        byte = byte << 4 | (unsigned)(c <= '9' ? c - '0' : low - 'a' + 10);
        if (i % 2)
            out[i / 2] = (unsigned char)byte;
    }
    return n;
}

#endif
