/* UTF-8, one character at a time. */
#ifndef SPT_BASE_UTF8_H
#define SPT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Returns the bytes of the character at `p`, of which there are `n`, at least 1. If there is no
 * character (an overlong form, a surrogate, one beyond U+10FFFF, one that is cut short), sets
 * `good` to false and returns the bytes that one U+FFFD replaces: the longest beginning of a
 * character, or else one. */
size_t spt_utf8_next(const char *p, size_t n, bool *good);

#endif
