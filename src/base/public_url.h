/* URLs as messages may show them. */
#ifndef SPT_BASE_PUBLIC_URL_H
#define SPT_BASE_PUBLIC_URL_H

#include <stdbool.h>
#include <stddef.h>

/* Returns true if the URL can be shown as it is. */
bool spt_url_is_public(const char *url);

/* Returns the URL as it may be shown: without what may be a password, however badly the URL is
 * formed, and escaped. It is `url` itself where that can be shown, else written to `out` and cut at
 * the room there is. A query is shown. */
const char *spt_redact_url(const char *url, char *out, size_t size);

#endif
