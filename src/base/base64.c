/* SPDX-License-Identifier: MIT */
/* Encodes three bytes at a time, and decodes digit by digit. */
#include "base/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char digit(uint32_t bits, bool for_url)
{
    bits &= 63;
    return bits < 62 || !for_url ? digits[bits] : bits == 62 ? '-' : '_';
}

size_t spt_base64_encode(char *to, const unsigned char *from, size_t n, bool for_url)
{
    char *at = to;
    size_t i = 0;
    for (; n - i >= 3; i += 3) {
        uint32_t bits = (uint32_t)from[i] << 16 | (uint32_t)from[i + 1] << 8 | from[i + 2];
        *at++ = digit(bits >> 18, for_url);
        *at++ = digit(bits >> 12, for_url);
        *at++ = digit(bits >> 6, for_url);
        *at++ = digit(bits, for_url);
    }
    if (i == n)
        return (size_t)(at - to);
    uint32_t bits = (uint32_t)from[i] << 16 | (n - i == 2 ? (uint32_t)from[i + 1] << 8 : 0);
    *at++ = digit(bits >> 18, for_url);
    *at++ = digit(bits >> 12, for_url);
    if (n - i == 2)
        *at++ = digit(bits >> 6, for_url);
    for (size_t pad = n - i; pad < 3 && !for_url; pad++)
        *at++ = '=';
    return (size_t)(at - to);
}

/* Returns the value of a digit, or -1. */
static int value_of(char c, bool for_url)
{
    return c >= 'A' && c <= 'Z'         ? c - 'A'
           : c >= 'a' && c <= 'z'       ? c - 'a' + 26
           : c >= '0' && c <= '9'       ? c - '0' + 52
           : c == (for_url ? '-' : '+') ? 62
           : c == (for_url ? '_' : '/') ? 63
                                        : -1;
}

size_t spt_base64_decode(unsigned char *to, const char *from, size_t n, bool for_url, bool at_end,
                         size_t *bad)
{
    uint32_t bits = 0;
    size_t i = 0, len = 0;
    for (; i < n; i++) {
        int value = value_of(from[i], for_url);
        if (value < 0)
            break;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 > 0)
            to[len++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    size_t rest = i % 4, pad = 0;
    while (at_end && pad < 2 && i + pad < n && from[i + pad] == '=')
        pad++;
    bool is_padded = pad > 0 ? rest + pad == 4 : rest == 0 || (rest > 1 && for_url && at_end);
    bool has_surplus_bits = rest > 1 && bits & (rest == 2 ? 15u : 3u);
    *bad = is_padded && i + pad == n ? i - 1 : i;
    return is_padded && i + pad == n && !has_surplus_bits ? len : SIZE_MAX;
}
