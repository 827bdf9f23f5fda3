/* SPDX-License-Identifier: MIT */
/* Decodes UTF-8, one character at a time. */
#ifndef SPT_BASE_UTF8_H
#define SPT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Returns the length in bytes of the character at `p`, which has `n` bytes, at least 1. If there
 * is no valid character (overlong, a surrogate, beyond U+10FFFF, or cut short), sets `good` to
 * false. It then returns the number of bytes that one U+FFFD replaces: the longest valid prefix of
 * a character, or 1. */
size_t spt_utf8_next(const char *p, size_t n, bool *good);

#endif
