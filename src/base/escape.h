/* Text from elsewhere, made fit for one line of a terminal or a log. */
#ifndef SPT_BASE_ESCAPE_H
#define SPT_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* Returns true if `text` has nothing that is to be escaped: no control character (C0, DEL, C1), and
 * no byte that is not part of UTF-8. */
bool spt_is_printable(const char *text, size_t len);

/* Writes `text` to `out` with \n, \r, \t and \xHH for what is to be escaped, and a NUL. Cuts it
 * before the first character that finds no room. A backslash stands for itself. Returns the bytes
 * written without the NUL. `size` is at least 1; 4 * len + 1 holds all. */
size_t spt_escape(char *out, size_t size, const char *text, size_t len);

#endif
