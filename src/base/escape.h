/* SPDX-License-Identifier: MIT */
/* Escapes foreign text for one line of a terminal or a log. */
#ifndef SPT_BASE_ESCAPE_H
#define SPT_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* Returns true if `text` needs no escapes: it has no control character (C0, DEL, C1) and no byte
 * that is not part of well-formed UTF-8. */
bool spt_escape_keeps_text(const char *text, size_t len);

/* Writes `text` to `out` with \n, \r, \t and \xHH for what needs an escape, and a NUL. Cuts the
 * text before the first character that does not fit. A backslash is not escaped. Returns the number
 * of bytes written, without the NUL. `size` is at least 1; 4 * len + 1 always suffices. */
size_t spt_escape_text(char *out, size_t size, const char *text, size_t len);

#endif
