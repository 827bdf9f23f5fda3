/* SPDX-License-Identifier: MIT */
/* Follows the Unicode standard's table of well-formed sequences: only the second byte's range
 * depends on the first. */
#include "base/utf8.h"

size_t spt_utf8_next(const char *text, size_t n, bool *good)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char first = p[0], low = 0x80, high = 0xbf;
    size_t len = 0, i = 1;
    if (first < 0x80)
        len = 1;
    else if (first >= 0xc2 && first <= 0xf4)
        len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0xe0)
        low = 0xa0; /* overlong below */
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xed)
        high = 0x9f; /* surrogates above */
    else if (first == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    for (; i < len && i < n && p[i] >= low && p[i] <= high; i++) {
        low = 0x80;
        high = 0xbf;
    }
    *good = i == len;
    return i;
}
