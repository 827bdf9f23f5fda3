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

#endif
