/* SPDX-License-Identifier: MIT */
/* A text in a buffer of a fixed size. What does not fit is cut. */
#ifndef SPT_BASE_TEXT_H
#define SPT_BASE_TEXT_H

#include <stddef.h>

struct spt_text {
    char *out;   /* borrowed; ends with a NUL */
    size_t size; /* bytes of `out` */
    size_t n;    /* bytes written, without the NUL */
};

/* Returns an empty text in `out`, which has at least one byte. */
struct spt_text spt_text_new(char *out, size_t size);

/* Appends formatted text, as printf does. */
void spt_text_add(struct spt_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends a string of JSON: that of the first `max` bytes of `s`, or up to its NUL. A byte that is
 * not part of well-formed UTF-8 becomes U+FFFD. */
void spt_text_add_json(struct spt_text *text, const char *s, size_t max);

#endif
