/* SPDX-License-Identifier: MIT */
/* Decodes UTF-8 and escapes what a terminal would interpret or cannot show. */
#include "base/escape.h"

#include <stdint.h>
#include <string.h>

/* Returns the length of the UTF-8 character at `p`, and sets `c` to its code point. Returns 0 if
 * there is no valid character. */
static size_t character_at(const unsigned char *p, size_t len, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
    if (n == 0 || n > len)
        return 0;
    *c = n == 1 ? *p : *p & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        *c = *c << 6 | (p[i] & 0x3fu);
    }
    bool surrogate = *c >= 0xd800 && *c <= 0xdfff;
    return *c < least[n] || *c > 0x10ffff || surrogate ? 0 : n;
}

/* Like character_at(), but also returns 0 for a control character. */
static size_t printable_at(const char *text, size_t len)
{
    uint32_t c = 0;
    size_t n = character_at((const unsigned char *)text, len, &c);
    return c < 0x20 || (c >= 0x7f && c < 0xa0) ? 0 : n;
}

bool spt_escape_keeps_text(const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = text[i] >= ' ' && text[i] < 0x7f ? 1 : printable_at(text + i, len - i);
        if (n == 0)
            return false;
    }
    return true;
}

/* Writes the escape of one byte. Returns its length. */
static size_t escape_byte(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef", short_ones[] = "\nn\rr\tt";
    out[0] = '\\';
    for (const char *s = short_ones; *s; s += 2) {
        if (byte == (unsigned char)*s) {
            out[1] = s[1];
            return 2;
        }
    }
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

size_t spt_escape_text(char *out, size_t size, const char *text, size_t len)
{
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        char escaped[4];
        size_t n = printable_at(text + i, len - i), room = size - 1 - used;
        const char *from = n > 0 ? text + i : escaped;
        size_t bytes = n > 0 ? n : escape_byte(escaped, (unsigned char)text[i]);
        if (bytes > room)
            break;
        memcpy(out + used, from, bytes);
        used += bytes;
        i += n > 0 ? n : 1;
    }
    out[used] = '\0';
    return used;
}
