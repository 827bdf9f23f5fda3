/* SPDX-License-Identifier: MIT */
/* Encodes and decodes byte by byte, by a table of the parts of a URL. */
#include "http/percent.h"

#include <string.h>

enum {
    P = SPT_PERCENT_PATH,
    Q = SPT_PERCENT_QUERY,
    F = SPT_PERCENT_FRAGMENT,
    U = SPT_PERCENT_USER,
    ANYWHERE = P | Q | F,
    UNRESERVED = ANYWHERE | U | SPT_PERCENT_COMPONENT,
};

const unsigned char spt_percent_stands[256] = {
    ['!'] = ANYWHERE | U,
    ['#'] = F,
    ['$' ... '&'] = ANYWHERE | U,
    ['\''] = P | F | U,
    ['(' ... ','] = ANYWHERE | U,
    ['-' ... '.'] = UNRESERVED,
    ['/'] = ANYWHERE,
    ['0' ... '9'] = UNRESERVED,
    [':' ... ';'] = ANYWHERE | U,
    ['='] = ANYWHERE | U,
    ['?'] = Q | F,
    ['@'] = ANYWHERE,
    ['A' ... 'Z'] = UNRESERVED,
    ['[' ... ']'] = ANYWHERE,
    ['^'] = Q | F,
    ['_'] = UNRESERVED,
    ['`'] = Q,
    ['a' ... 'z'] = UNRESERVED,
    ['{'] = Q | F,
    ['|'] = ANYWHERE,
    ['}'] = Q | F,
    ['~'] = UNRESERVED,
};

static char *put_byte(char *to, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    *to++ = '%';
    *to++ = digits[c >> 4];
    *to++ = digits[c & 15];
    return to;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Returns the byte that the text, which begins with a percent sign, encodes, or -1. */
static int encoded(const char *text, size_t n)
{
    int high = n >= 3 ? digit_of(text[1]) : -1, low = n >= 3 ? digit_of(text[2]) : -1;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

size_t spt_percent_encode(char *to, const char *from, size_t n, unsigned where)
{
    char *at = to;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)from[i];
        if (spt_percent_stands[c] & where)
            *at++ = (char)c;
        else
            at = put_byte(at, c);
    }
    return (size_t)(at - to);
}

size_t spt_percent_decode(char *to, const char *from, size_t n, bool plus, size_t *bad)
{
    char *at = to;
    *bad = n;
    for (size_t i = 0; i < n; i++) {
        int byte = from[i] == '%' ? encoded(from + i, n - i) : -1;
        if (byte >= 0) {
            *at++ = (char)byte;
            i += 2;
            continue;
        }
        if (from[i] == '%' && *bad == n)
            *bad = i;
        *at++ = (char)(plus && from[i] == '+' ? ' ' : from[i]);
    }
    return (size_t)(at - to);
}

size_t spt_percent_normalize(char *to, const char *from, size_t n)
{
    char *at = to;
    for (size_t i = 0; i < n; i++) {
        if (from[i] != '%') {
            *at++ = from[i];
            continue;
        }
        int byte = encoded(from + i, n - i);
        if (byte >= 0 && spt_percent_stands[byte] & SPT_PERCENT_COMPONENT)
            *at++ = (char)byte;
        else
            at = put_byte(at, (unsigned char)(byte < 0 ? '%' : byte));
        i += byte < 0 ? 0 : 2;
    }
    return (size_t)(at - to);
}
