/* Header lines: checked and laid out for libcurl in one block; collected as they come back. */
#include "loop/headers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "septet/septet.h"

/* The nodes in the order of the list, then the lines they point to. */
struct spt_headers {
    struct curl_slist *without_body; /* where the list begins for a request that has none */
    struct curl_slist nodes[];
};

/* What libcurl would add by itself unless told not to, in its notation for "not this one": the first
 * two only where there is a body, so that other requests need not be checked for them. */
static const char *const unwanted[] = {"Expect:", "Content-Type:", "Accept-Encoding:"};
enum { N_UNWANTED = sizeof unwanted / sizeof unwanted[0], N_WITH_BODY = 2 };

bool spt_is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c >= 127 || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return len > 0;
}

static bool is_name(const struct spt_header *h, const char *name)
{
    return h->name_len == strlen(name) && strncasecmp(h->name, name, h->name_len) == 0;
}

static const char *fault_of(const struct spt_header *h)
{
    if (!spt_is_token(h->name, h->name_len))
        return "the name is not a token";
    for (size_t i = 0; i < h->value_len; i++)
        if (h->value[i] == '\r' || h->value[i] == '\n' || h->value[i] == '\0')
            return "the value has a line break or NUL in it";
    if (is_name(h, "content-length") || is_name(h, "transfer-encoding"))
        return "the body decides this header";
    return NULL;
}

static bool has(const struct spt_header *pairs, size_t n, const char *name, size_t name_len)
{
    for (size_t i = 0; i < n; i++)
        if (pairs[i].name_len == name_len && strncasecmp(pairs[i].name, name, name_len) == 0)
            return true;
    return false;
}

static int check(const struct spt_header *pairs, size_t n, const char **why, size_t *at)
{
    for (size_t i = 0; i < n; i++) {
        *at = i;
        *why = fault_of(&pairs[i]);
        if (!*why && is_name(&pairs[i], "host") && has(pairs, i, "host", 4))
            *why = "a second host";
        if (*why)
            return SEPTET_EINVAL;
    }
    return SEPTET_OK;
}

static bool is_blank(const struct spt_header *h)
{
    for (size_t i = 0; i < h->value_len; i++)
        if (h->value[i] != ' ' && h->value[i] != '\t')
            return false;
    return true;
}

/* Writes "name: value", or libcurl's notation for an empty header. Returns the end. */
static char *write_line(char *to, const struct spt_header *h)
{
    memcpy(to, h->name, h->name_len);
    to += h->name_len;
    if (is_blank(h)) {
        memcpy(to, ";", 2);
        return to + 2;
    }
    memcpy(to, ": ", 2);
    memcpy(to + 2, h->value, h->value_len);
    to += 2 + h->value_len;
    *to = '\0';
    return to + 1;
}

static void lay_out(struct spt_headers *headers, const struct spt_header *pairs, size_t n)
{
    struct curl_slist *nodes = headers->nodes;
    char *text = (char *)(nodes + n + N_UNWANTED);
    size_t used = 0, begin = 0;
    for (size_t i = 0; i < N_UNWANTED; i++) {
        if (!has(pairs, n, unwanted[i], strlen(unwanted[i]) - 1))
            nodes[used++].data = (char *)unwanted[i];
        if (i + 1 == N_WITH_BODY)
            begin = used;
    }
    for (size_t i = 0; i < n; i++) {
        nodes[used++].data = text;
        text = write_line(text, &pairs[i]);
    }
    for (size_t i = 0; i < used; i++)
        nodes[i].next = i + 1 < used ? &nodes[i + 1] : NULL;
    headers->without_body = begin < used ? &nodes[begin] : NULL;
}

int spt_headers_new(struct spt_headers **out, const struct spt_header *pairs, size_t n,
                    const char **why, size_t *at)
{
    if (check(pairs, n, why, at) != SEPTET_OK)
        return SEPTET_EINVAL;
    size_t bytes = sizeof **out + (n + N_UNWANTED) * sizeof(struct curl_slist);
    for (size_t i = 0; i < n; i++)
        bytes += pairs[i].name_len + pairs[i].value_len + sizeof ": ";
    struct spt_headers *headers = malloc(bytes);
    if (!headers)
        return SEPTET_ENOMEM;
    lay_out(headers, pairs, n);
    *out = headers;
    return SEPTET_OK;
}

void spt_headers_free(struct spt_headers *headers)
{
    free(headers);
}

struct curl_slist *spt_headers_list(const struct spt_headers *headers, bool with_body)
{
    static char expect[] = "Expect:", type[] = "Content-Type:";
    static struct curl_slist second = {type, NULL}, first = {expect, &second};
    if (!headers)
        return with_body ? &first : NULL;
    return with_body ? (struct curl_slist *)headers->nodes : headers->without_body;
}

/* Reads "HTTP/1.1 200 OK". libcurl has checked the shape. */
static void read_status_line(struct spt_head *head, const char *line, size_t len)
{
    size_t i = 5;
    int version = 0, status = 0;
    for (; i < len && line[i] != ' '; i++)
        if (line[i] >= '0' && line[i] <= '9')
            version = version * 10 + (line[i] - '0');
    while (i < len && line[i] == ' ')
        i++;
    for (int k = 0; k < 3 && i < len && line[i] >= '0' && line[i] <= '9'; k++, i++)
        status = status * 10 + (line[i] - '0');
    head->version = version < 10 ? version * 10 : version;
    head->status = status;
}

static int append_line(struct spt_buf *buf, const char *line, size_t len)
{
    bool folded = buf->len > 0 && (line[0] == ' ' || line[0] == '\t');
    const char *between = buf->len == 0 ? "" : folded ? " " : "\r\n";
    while (folded && len > 0 && (line[0] == ' ' || line[0] == '\t')) {
        line++;
        len--;
    }
    int rc = buf->data ? SEPTET_OK : spt_buf_reserve(buf, buf->max < 512 ? buf->max : 512);
    if (rc == SEPTET_OK)
        rc = spt_buf_append(buf, between, strlen(between));
    return rc == SEPTET_OK ? spt_buf_append(buf, line, len) : rc;
}

static int end_of_head(struct spt_head *head)
{
    if (head->status == 101)
        return SEPTET_EINVAL;
    head->done = head->status >= 200;
    return SEPTET_OK;
}

int spt_head_line(struct spt_head *head, struct spt_buf *buf, const char *line, size_t len)
{
    if (++head->lines > SPT_HEAD_LINES_MAX)
        return SEPTET_ETOOBIG;
    if (head->done)
        return SEPTET_OK;
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    if (len == 0)
        return end_of_head(head);
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        read_status_line(head, line, len);
        buf->len = 0;
        head->encoded = false;
    }
    head->encoded |=
        (line[0] | 0x20) == 'c' && len > 17 && strncasecmp(line, "content-encoding:", 17) == 0;
    return append_line(buf, line, len);
}

const char *spt_head_value(const struct spt_buf *lines, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    for (const char *p = lines->data, *end = p + lines->len; p;
         p = memchr(p, '\n', (size_t)(end - p))) {
        p += *p == '\n';
        if ((size_t)(end - p) > name_len && strncasecmp(p, name, name_len) == 0) {
            const char *cr = memchr(p, '\r', (size_t)(end - p));
            *len = (size_t)((cr ? cr : end) - p) - name_len;
            return p + name_len;
        }
    }
    *len = 0;
    return "";
}
