/* SPDX-License-Identifier: MIT */
/* Records phases from level 2 on, heads at level 3, and there bodies if they are asked for. */
#include "op/http/record.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/redact.h"
#include "core/trace.h"
#include "http/signal.h"
#include "septet/septet.h"

enum {
    URL_MAX = 4096, /* bytes of a URL in a header; a longer one is redacted */
    PIECE = 32768,  /* bytes of a body in one record */
};

unsigned spt_http_record_wanted(const struct spt_trace *tr, bool bodies)
{
    unsigned wanted = SPT_SIGNAL_BIT(PHASE);
    if (!tr->ring || tr->level < 2)
        return 0;
    if (tr->level >= 3)
        wanted |= SPT_SIGNAL_BIT(HEADERS_SENT) | SPT_SIGNAL_BIT(HEADERS);
    if (tr->level >= 3 && bodies)
        wanted |= SPT_SIGNAL_BIT(CHUNK_SENT) | SPT_SIGNAL_BIT(CHUNK);
    return wanted;
}

/* --- heads --- */

static bool is_among(const char *name, size_t len, const char *const *names)
{
    for (; *names; names++)
        if (strlen(*names) == len && strncasecmp(name, *names, len) == 0)
            return true;
    return false;
}

static int append(struct spt_buf *out, const char *bytes, size_t len)
{
    return spt_buf_append(out, bytes, len) == SEPTET_OK ? SEPTET_OK : SEPTET_ENOMEM;
}

static int append_hidden(struct spt_buf *out)
{
    return append(out, SPT_REDACTED, strlen(SPT_REDACTED));
}

static int append_url(struct spt_buf *out, const char *url, size_t len)
{
    char whole[URL_MAX], room[URL_MAX];
    if (len >= sizeof whole)
        return append_hidden(out);
    memcpy(whole, url, len);
    whole[len] = '\0';
    const char *shown = spt_redact_kept_url(whole, room, sizeof room);
    return append(out, shown, strlen(shown));
}

/* Appends a text, which may have a URL in it, without the secrets of its query. */
static int append_text(struct spt_buf *out, const char *text, size_t len)
{
    int rc = SEPTET_OK;
    while (rc == SEPTET_OK && len > 0) {
        size_t size = 0, at = spt_redact_find_secret(text, len, &size);
        rc = append(out, text, at);
        if (rc == SEPTET_OK && size > 0)
            rc = append_hidden(out);
        text += at + size;
        len -= at + size;
    }
    return rc;
}

/* Returns the length of the name of a header, without blanks behind it. */
static size_t name_len(const char *line, size_t colon)
{
    while (colon > 0 && (line[colon - 1] == ' ' || line[colon - 1] == '\t'))
        colon--;
    return colon;
}

/* Appends a line without its end, redacted. */
static int append_line(struct spt_buf *out, const char *line, size_t len)
{
    static const char *const urls[] = {"location", "content-location", "referer", NULL};
    const char *colon = memchr(line, ':', len);
    size_t value = colon ? (size_t)(colon - line) : len, name = name_len(line, value);
    bool hides = spt_redact_hides_header(line, name), has_url = is_among(line, name, urls);
    if (!colon || (!hides && !has_url))
        return append_text(out, line, len);
    value++;
    while (value < len && line[value] == ' ')
        value++;
    int rc = append(out, line, value);
    if (rc != SEPTET_OK)
        return rc;
    return hides ? append_hidden(out) : append_url(out, line + value, len - value);
}

/* Appends the lines of a head. A line that is folded belongs to the one before it, which may be a
 * secret, so it is left out. */
static int append_head(struct spt_buf *out, const char *head, size_t len)
{
    int rc = SEPTET_OK;
    for (const char *end = head + len; rc == SEPTET_OK && head < end;) {
        const char *lf = memchr(head, '\n', (size_t)(end - head));
        const char *next = lf ? lf + 1 : end, *last = lf ? lf : end;
        last -= last > head && last[-1] == '\r';
        if (*head != ' ' && *head != '\t') {
            rc = append_line(out, head, (size_t)(last - head));
            if (rc == SEPTET_OK)
                rc = append(out, last, (size_t)(next - last));
        }
        head = next;
    }
    return rc;
}

static void record_head(struct spt_trace *tr, struct spt_rec rec, const struct spt_signal *signal)
{
    struct spt_buf text;
    spt_buf_init(&text, SIZE_MAX / 2);
    if (append_head(&text, signal->bytes, signal->len) == SEPTET_OK) {
        rec.kind = SPT_REC_HEAD;
        rec.sub = signal->type == SPT_SIGNAL_HEADERS;
        rec.a = spt_trace_text(tr, text.data ? text.data : "", text.len);
        spt_trace_put(tr, rec);
    }
    spt_buf_release(&text);
}

/* --- bodies --- */

/* Records the bytes that are within the maximum, and once that there are more. */
static void record_body(struct spt_trace *tr, struct spt_rec rec, struct spt_http_kept *kept,
                        const struct spt_signal *signal)
{
    bool received = signal->type == SPT_SIGNAL_CHUNK;
    uint64_t *bytes = received ? &kept->received : &kept->sent;
    bool *cut = received ? &kept->received_cut : &kept->sent_cut;
    uint64_t room = kept->max - *bytes;
    size_t len = signal->len < room ? signal->len : (size_t)room;
    if (*cut)
        return;
    *cut = len < signal->len;
    *bytes += len;
    rec.kind = SPT_REC_BODY;
    rec.sub = received;
    size_t at = 0;
    do {
        size_t n = len - at < PIECE ? len - at : PIECE;
        rec.a = n > 0 ? spt_trace_text(tr, signal->bytes + at, n) : 0;
        at += n;
        rec.b = *cut && at == len;
        spt_trace_put(tr, rec);
    } while (at < len);
}

void spt_http_record_signal(struct spt_trace *tr, uint32_t task, uint32_t ref,
                            struct spt_http_kept *kept, const struct spt_signal *signal)
{
    struct spt_rec rec = {.t = signal->t_ns, .task = task, .ref = ref};
    if (!(spt_http_record_wanted(tr, kept->max > 0) >> signal->type & 1u))
        return;
    if (signal->type == SPT_SIGNAL_PHASE) {
        rec.kind = SPT_REC_PHASE;
        rec.sub = (uint8_t)signal->phase;
        spt_trace_put(tr, rec);
    } else if (signal->type == SPT_SIGNAL_CHUNK || signal->type == SPT_SIGNAL_CHUNK_SENT) {
        record_body(tr, rec, kept, signal);
    } else {
        record_head(tr, rec, signal);
    }
}
