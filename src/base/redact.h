/* SPDX-License-Identifier: MIT */
/* Removes passwords from URLs before messages show them. */
#ifndef SPT_BASE_REDACT_H
#define SPT_BASE_REDACT_H

#include <stdbool.h>
#include <stddef.h>

/* Returns true if the URL can be shown unchanged. */
bool spt_redact_keeps_url(const char *url);

/* Returns the URL as messages may show it: escaped, and without what may be a password, however
 * malformed the URL is. Returns `url` itself if that can be shown. Otherwise writes to `out`, cut
 * at `size` bytes. A query is shown. */
const char *spt_redact_url(const char *url, char *out, size_t size);

#define SPT_REDACTED "REDACTED" /* shown in place of a secret */

/* Like spt_redact_url(), but for what is kept: also hides the secrets of a query. */
const char *spt_redact_kept_url(const char *url, char *out, size_t size);

/* Finds the next secret among parameters, as "?name=value&..." has them: a signature, a token or a
 * key, by its name. Returns the place of the value, and sets `size` to its length. Returns `len` if
 * there is none. */
size_t spt_redact_find_secret(const char *text, size_t len, size_t *size);

/* Returns true if the value of a header is a secret, by its name. */
bool spt_redact_hides_header(const char *name, size_t len);

#endif
