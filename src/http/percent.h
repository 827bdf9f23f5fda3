/* SPDX-License-Identifier: MIT */
/* Percent-encoding: which bytes may stand in which part of a URL, and how the others are written.
 * It knows no URLs. */
#ifndef SPT_HTTP_PERCENT_H
#define SPT_HTTP_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* The parts in which a byte may stand unencoded. The first three follow WHATWG's percent-encode
 * sets for path, query and fragment. */
enum {
    SPT_PERCENT_PATH = 1,
    SPT_PERCENT_QUERY = 2,
    SPT_PERCENT_FRAGMENT = 4,
    SPT_PERCENT_USER = 8,       /* user, password and names of hosts: RFC 3986, 3.2 */
    SPT_PERCENT_COMPONENT = 16, /* what RFC 3986, 2.3 calls unreserved */
};

extern const unsigned char spt_percent_stands[256];

/* Each function below writes to `to` and returns the number of bytes written. */

/* Encodes the bytes that may not stand in the part `where`. Writes up to 3 * n bytes. */
size_t spt_percent_encode(char *to, const char *from, size_t n, unsigned where);

/* Decodes all bytes; with `plus`, '+' is a blank. A percent sign that is not followed by two
 * hexadecimal digits stays. `*bad` is the offset of the first one, or n. */
size_t spt_percent_decode(char *to, const char *from, size_t n, bool plus, size_t *bad);

/* Writes the encoding in its one form: unreserved bytes are not encoded, and digits are in upper
 * case. A percent sign that is not followed by two digits is encoded. Writes up to 3 * n bytes. */
size_t spt_percent_normalize(char *to, const char *from, size_t n);

#endif
