/* SPDX-License-Identifier: MIT */
/* Lets iconv convert as much as it can, and steps over what it refuses. */
#include "base/transcode.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "septet/septet.h"

#define REPLACEMENT "\xef\xbf\xbd"

enum { SPARE = 16 }; /* bytes beyond the unread input: more than any one character takes */

struct converter {
    iconv_t iconv;
    struct spt_buf *out; /* borrowed */
};

static int replace(struct converter *c)
{
    return spt_buf_append(c->out, REPLACEMENT, strlen(REPLACEMENT));
}

/* --- UTF-8 itself --- */

static int repair(struct converter *c, const char *in, size_t len)
{
    size_t from = 0; /* the first valid byte not yet written */
    for (size_t i = 0, n; i < len; i += n) {
        bool good;
        n = spt_utf8_next(in + i, len - i, &good);
        if (good)
            continue;
        if (spt_buf_append(c->out, in + from, i - from) != SEPTET_OK || replace(c) != SEPTET_OK)
            return SEPTET_ENOMEM;
        from = i + n;
    }
    return spt_buf_append(c->out, in + from, len - from);
}

/* --- other charsets --- */

/* Converts as much as possible. Returns 0 at the end, EILSEQ or EINVAL for invalid bytes, E2BIG, or
 * ENOMEM. */
static int step(struct converter *c, char **in, size_t *left)
{
    if (spt_buf_reserve(c->out, *left + SPARE) != SEPTET_OK)
        return ENOMEM;
    char *to = c->out->data + c->out->len;
    size_t room = c->out->cap - c->out->len;
    size_t rc = iconv(c->iconv, *in ? in : NULL, *in ? left : NULL, &to, &room);
    int why = rc == (size_t)-1 ? errno : 0;
    c->out->len = (size_t)(to - c->out->data);
    return why;
}

/* Appends the substitute for `n` invalid bytes. With `controls`, a byte of 0x80 to 0x9f becomes the
 * control character of that number. */
static int substitute(struct converter *c, const char *in, size_t n, bool controls)
{
    const unsigned char byte = (unsigned char)in[0];
    if (n != 1 || !controls || byte < 0x80 || byte > 0x9f)
        return replace(c);
    return spt_buf_append(c->out, (const char[]){'\xc2', in[0]}, 2);
}

/* Converts `len` bytes. Invalid bytes are skipped by the charset's unit. */
static int convert(struct converter *c, char *in, size_t len, size_t unit, bool controls)
{
    size_t left = len, none = 0;
    while (left > 0) {
        int why = step(c, &in, &left);
        if (why == 0 || why == E2BIG)
            continue;
        size_t skipped =
            why == EINVAL || left < unit ? left : unit; /* EINVAL: the text ends inside one */
        if (why == ENOMEM || substitute(c, in, skipped, controls) != SEPTET_OK)
            return SEPTET_ENOMEM;
        in += skipped;
        left -= skipped;
    }
    in = NULL; /* some charsets hold back a character that the next may combine with */
    return step(c, &in, &none) == 0 ? SEPTET_OK : SEPTET_ENOMEM;
}

int spt_transcode(struct spt_buf *out, const char *bytes, size_t len,
                  const struct spt_transcode *how)
{
    struct converter c = {.out = out};
    if (!how->charset)
        return repair(&c, bytes, len);
    c.iconv = iconv_open("UTF-8", how->charset);
    if (c.iconv == (iconv_t)-1) // NOLINT: how iconv says it
        return SEPTET_EINVAL;
    int rc = convert(&c, (char *)bytes, len, how->unit, how->controls);
    iconv_close(c.iconv);
    return rc;
}

bool spt_transcode_is_utf8(const char *bytes, size_t len)
{
    bool good = true;
    for (size_t i = 0; i < len && good;) {
        uint64_t ascii;
        if (len - i >= sizeof ascii) {
            memcpy(&ascii, bytes + i, sizeof ascii);
            if ((ascii & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof ascii;
                continue;
            }
        }
        i += spt_utf8_next(bytes + i, len - i, &good);
    }
    return good;
}
