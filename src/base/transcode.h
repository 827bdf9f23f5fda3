/* SPDX-License-Identifier: MIT */
/* Converts bytes of any charset to UTF-8 with iconv. Invalid bytes become U+FFFD. It handles
 * neither charset labels nor HTTP. */
#ifndef SPT_BASE_TRANSCODE_H
#define SPT_BASE_TRANSCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct spt_transcode {
    const char *charset; /* as iconv names it; NULL: the bytes should be UTF-8 */
    size_t unit;         /* number of bytes that are skipped where they are invalid */
    /* bytes that the charset leaves undefined become control characters, as in browsers for the
     * Windows charsets */
    bool controls;
};

/* Appends the bytes as UTF-8. Returns SEPTET_OK, SEPTET_EINVAL if iconv does not know the charset,
 * or SEPTET_ENOMEM. */
int spt_transcode(struct spt_buf *out, const char *bytes, size_t len,
                  const struct spt_transcode *how);

/* Returns true if the bytes are valid UTF-8. */
bool spt_transcode_is_utf8(const char *bytes, size_t len);

#endif
