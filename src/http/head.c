/* SPDX-License-Identifier: MIT */
/* Collects the lines of a head in a buffer, and notes by what the body is framed. */
#include "http/head.h"

#include <string.h>
#include <strings.h>

#include "http/headers.h"
#include "septet/septet.h"

static bool is_blank_char(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads a version such as "1.1" or "2". Returns its length in bytes, or 0 if there is none. */
static size_t read_version(struct spt_head *head, const char *p, size_t len)
{
    if (len == 0 || !is_digit(p[0]))
        return 0;
    bool minor = len >= 3 && p[1] == '.' && is_digit(p[2]);
    head->version = (p[0] - '0') * 10 + (minor ? p[2] - '0' : 0);
    return minor ? 3 : 1;
}

/* Reads "HTTP/1.1 200 OK". Returns false if the line is malformed. libcurl accepts some malformed
 * lines, and uses three digits of a longer status. */
static bool read_status_line(struct spt_head *head, const char *line, size_t len)
{
    static const char begin[] = "HTTP/";
    size_t i = sizeof begin - 1, version;
    int status = 0;
    if (len < i || memcmp(line, begin, i) != 0)
        return false;
    version = read_version(head, line + i, len - i);
    i += version;
    if (version == 0 || i == len || line[i] != ' ')
        return false;
    while (i < len && line[i] == ' ')
        i++;
    const size_t from = i;
    for (; i < len && i < from + 3 && is_digit(line[i]); i++)
        status = status * 10 + (line[i] - '0');
    head->status = status;
    return i == from + 3 && (i == len || line[i] == ' ');
}

/* Reads "GET /path HTTP/1.1". Returns NULL, or a word for what is wrong. */
static const char *read_request_line(struct spt_head *head, const char *line, size_t len)
{
    static const char version[] = " HTTP/1.1";
    const size_t version_len = sizeof version - 1;
    const char *blank = memchr(line, ' ', len), *end = line + len;
    if (!blank || (size_t)(end - blank) < version_len + 2 ||
        !spt_headers_is_token(line, (size_t)(blank - line)))
        return "request_line";
    const char *tail = end - version_len;
    for (const char *p = blank + 1; p < tail; p++)
        if ((unsigned char)*p <= ' ' || *p == 127)
            return "request_line";
    if (memcmp(tail, version, sizeof " HTTP/" - 1) != 0 || read_version(head, end - 3, 3) != 3)
        return "request_line";
    return end[-3] == '1' ? NULL : "version";
}

/* Returns true if the line is a header that a request may have: the name is a token right before
 * the colon, and the value has no control character but tabs. */
static bool is_strict_field(const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (!colon || !spt_headers_is_token(line, (size_t)(colon - line)))
        return false;
    for (const char *p = colon + 1; p < line + len; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 127)
            return false;
    return true;
}

/* Replaces each CR within a line by a space (RFC 9112, 2.2), so that no reader takes it for a line
 * end. */
static void replace_cr(char *text, size_t len)
{
    char *end = text + len;
    while ((text = memchr(text, '\r', (size_t)(end - text))))
        *text = ' ';
}

/* Appends `between`, which separates the line from those before, and then the line. Inline, as the
 * length of `between` is constant: most lines of most heads pass here. */
static inline int append_line(struct spt_buf *buf, const char *between, const char *line,
                              size_t len)
{
    const size_t n = strlen(between);
    int rc = buf->data ? SEPTET_OK : spt_buf_reserve(buf, buf->max < 512 ? buf->max : 512);
    if (rc == SEPTET_OK)
        rc = spt_buf_reserve(buf, n + len);
    if (rc != SEPTET_OK)
        return rc;
    char *to = buf->data + buf->len;
    for (size_t i = 0; i < n; i++)
        *to++ = between[i];
    memcpy(to, line, len);
    replace_cr(to, len);
    buf->len += n + len;
    return SEPTET_OK;
}

static int fault(struct spt_head *head, const char *word)
{
    head->fault = word;
    return SEPTET_EINVAL;
}

/* Returns the value of a header, or NULL if the line has another name. */
static const char *value_of(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);
    return len > n && line[n] == ':' && strncasecmp(line, name, n) == 0 ? line + n + 1 : NULL;
}

/* Reads a number, or -1 if there is none. Returns the end of the blanks after it. */
static const char *read_number(const char *p, const char *end, int64_t *n)
{
    *n = -1;
    while (p < end && is_blank_char(*p))
        p++;
    for (; p < end && *p >= '0' && *p <= '9' && *n < INT64_MAX / 10 - 1; p++)
        *n = (*n < 0 ? 0 : *n * 10) + (*p - '0');
    while (p < end && is_blank_char(*p))
        p++;
    return p;
}

/* Reads a number, or the same one several times, separated by commas or on lines of their own. If
 * two parties read different lengths, one takes for the next response what is body to the other
 * (RFC 9112, 6.3). */
static int read_length(struct spt_head *head, const char *p, const char *end)
{
    do {
        int64_t n;
        p = read_number(p, end, &n);
        if (n < 0 || (p < end && *p != ',') || (head->length >= 0 && head->length != n))
            return fault(head, "length");
        head->length = n;
    } while (p++ < end);
    return SEPTET_OK;
}

const char *spt_head_list_next(const char **p, const char *end, size_t *len)
{
    const char *item = *p;
    while (item < end && (is_blank_char(*item) || *item == ','))
        item++;
    if (item == end)
        return NULL;
    const char *comma = memchr(item, ',', (size_t)(end - item));
    *p = comma ? comma : end;
    *len = (size_t)(*p - item);
    while (is_blank_char(item[*len - 1]))
        (*len)--;
    return item;
}

static bool is_word(const char *item, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(item, word, len) == 0;
}

/* Reads a Transfer-Encoding. The only coding that libcurl decodes is chunked, which must be the
 * last one and occur once. */
static void read_transfer(struct spt_head *head, const char *p, const char *end)
{
    size_t len;
    head->transfer = true;
    for (const char *item; (item = spt_head_list_next(&p, end, &len));) {
        bool chunked = is_word(item, len, "chunked");
        if (head->chunked || !(chunked || is_word(item, len, "identity")))
            head->undone = true;
        head->chunked |= chunked;
    }
}

static int read_framing(struct spt_head *head, const char *line, size_t len)
{
    const char *value = value_of(line, len, "content-length");
    if (value) {
        head->framing = SPT_FRAMING_LENGTH;
        return read_length(head, value, line + len);
    }
    value = value_of(line, len, "transfer-encoding");
    if (value) {
        head->framing = SPT_FRAMING_TRANSFER;
        read_transfer(head, value, line + len);
    }
    head->encoded |= value_of(line, len, "content-encoding") != NULL;
    return SEPTET_OK;
}

/* Returns true if the line may be a header by which the body is read: "content-..." or
 * "transfer-...". */
static bool may_frame(const char *line)
{
    char letter = (char)(*line | 0x20);
    return letter == 'c' || letter == 't';
}

/* Returns true if blanks separate the colon from the name of a header by which the body is read.
 * libcurl skips such a line, but other parties do not (RFC 9112, 5.1). */
static bool is_spaced(const char *line, size_t len)
{
    static const char names[][sizeof "transfer-encoding"] = {"content-length", "transfer-encoding",
                                                             "content-encoding"};
    static const size_t lens[] = {sizeof "content-length" - 1, sizeof "transfer-encoding" - 1,
                                  sizeof "content-encoding" - 1};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        size_t n = lens[i], at = n;
        if (len <= n || !is_blank_char(line[n]) || strncasecmp(line, names[i], n) != 0)
            continue;
        while (at < len && is_blank_char(line[at]))
            at++;
        return at < len && line[at] == ':';
    }
    return false;
}

static int begin_head(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len)
{
    const char *word = head->request                       ? read_request_line(head, line, len)
                       : read_status_line(head, line, len) ? NULL
                                                           : "status_line";
    if (word)
        return fault(head, word);
    head->begins = head->within = true;
    head->fields = 0;
    head->length = -1;
    head->framing = SPT_FRAMING_NONE;
    head->transfer = head->chunked = head->undone = head->encoded = false;
    buf->len = 0;
    return append_line(buf, "", line, len);
}

/* Appends a folded line, unless it continues a header that frames the body. libcurl frames a body
 * by the first part of such a line, and other parties by the whole of it. */
static int fold(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len)
{
    if (head->fields == 0)
        return fault(head, "header");
    if (head->framing != SPT_FRAMING_NONE)
        return fault(head, head->framing == SPT_FRAMING_LENGTH ? "length" : "transfer_encoding");
    while (len > 0 && is_blank_char(line[0])) {
        line++;
        len--;
    }
    return append_line(buf, " ", line, len);
}

static int end_of_head(struct spt_head *head)
{
    if (head->status == 101)
        return fault(head, "upgrade");
    /* Two parties that frame a request by different headers take different bytes for the next one
     * (RFC 9112, 6.1). */
    if (head->request && head->transfer &&
        (!head->chunked || head->undone || head->length >= 0 || head->version < 11))
        return fault(head, "transfer_encoding");
    head->within = false;
    head->ended = true;
    head->done = head->request || head->status >= 200;
    return SEPTET_OK;
}

int spt_head_line(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len)
{
    head->begins = head->ended = false;
    if (++head->lines > SPT_HEAD_LINES_MAX)
        return SEPTET_ETOOBIG;
    if (head->done)
        return SEPTET_OK;
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    /* libcurl refuses a NUL only where it sees it, which depends on how the bytes arrived. */
    if (memchr(line, '\0', len))
        return fault(head, "header");
    if (!head->within)
        return begin_head(head, buf, line, len);
    if (len == 0)
        return end_of_head(head);
    if (!head->request && is_blank_char(line[0]))
        return fold(head, buf, line, len);
    bool frames = may_frame(line);
    if (head->request ? !is_strict_field(line, len) : frames && is_spaced(line, len))
        return fault(head, "header");
    head->fields++;
    head->framing = SPT_FRAMING_NONE;
    int rc = frames ? read_framing(head, line, len) : SEPTET_OK;
    return rc == SEPTET_OK ? append_line(buf, "\r\n", line, len) : rc;
}

int spt_head_trailer(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len)
{
    if (++head->lines > SPT_HEAD_LINES_MAX)
        return SEPTET_ETOOBIG;
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    if (len == 0)
        return SEPTET_OK;
    bool folded = is_blank_char(line[0]);
    if (memchr(line, '\0', len) || (folded && buf->len == 0))
        return fault(head, "header");
    buf->max = SPT_HEAD_MAX;
    while (folded && len > 0 && is_blank_char(line[0])) {
        line++;
        len--;
    }
    return append_line(buf, folded ? " " : "\r\n", line, len);
}

const char *spt_head_next(const struct spt_buf *lines, size_t *at, const char *name, size_t *len)
{
    const size_t name_len = strlen(name);
    while (*at < lines->len) {
        const char *line = lines->data + *at, *end = lines->data + lines->len;
        const char *cr = memchr(line, '\r', (size_t)(end - line));
        size_t line_len = (size_t)((cr ? cr : end) - line);
        *at += line_len + 2;
        if (line_len < name_len || strncasecmp(line, name, name_len) != 0)
            continue;
        const char *value = line + name_len, *last = line + line_len;
        while (value < last && is_blank_char(*value))
            value++;
        while (value < last && is_blank_char(last[-1]))
            last--;
        *len = (size_t)(last - value);
        return value;
    }
    return NULL;
}
