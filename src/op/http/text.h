/* SPDX-License-Identifier: MIT */
/* Text for errors, traces and warnings. */
#ifndef SPT_OP_HTTP_TEXT_H
#define SPT_OP_HTTP_TEXT_H

#include <stddef.h>

/* Returns `text` itself if it has nothing to escape. Otherwise writes it to `out` as
 * spt_escape_text() does, truncated to `size` bytes, and returns `out`. */
const char *spt_http_text_shown(const char *text, char *out, size_t size);

#endif
