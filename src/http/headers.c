/* SPDX-License-Identifier: MIT */
/* Lays out the checked lines of a request in one allocation. */
#include "http/headers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "septet/septet.h"

/* The nodes in the order of the list, then the lines that they point to. */
struct spt_headers {
    struct curl_slist *without_body; /* first node for a request without a body */
    struct curl_slist nodes[];
};

/* Headers that libcurl would add by itself, in its notation for suppressing them. The first two are
 * listed only if there is a body, so that libcurl need not check other requests for them. */
static const char *const unwanted[] = {"Expect:", "Content-Type:", "Accept-Encoding:"};
enum { N_UNWANTED = sizeof unwanted / sizeof unwanted[0], N_WITH_BODY = 2 };

bool spt_headers_is_token(const char *s, size_t len)
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

/* Returns true for the control characters that a value must not have: all but the tab (RFC 9110,
 * 5.5). */
static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 127;
}

/* Returns true if the text is not empty and has only characters of "host:port" (RFC 3986, 3.2). */
static bool is_host(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 127 ||
            strchr("\"#/<>?@\\^`{|}", s[i]))
            return false;
    return len > 0;
}

static const char *fault_of(const struct spt_header *h)
{
    if (!spt_headers_is_token(h->name, h->name_len))
        return "the name is not a token";
    for (size_t i = 0; i < h->value_len; i++)
        if (is_control(h->value[i]))
            return "the value has a line break, NUL or another control character in it";
    if (is_name(h, "host") && !is_host(h->value, h->value_len))
        return "the value is not a host with an optional port";
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

static bool is_blank_char(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_blank(const struct spt_header *h)
{
    for (size_t i = 0; i < h->value_len; i++)
        if (!is_blank_char(h->value[i]))
            return false;
    return true;
}

/* Writes "name: value", or libcurl's notation for an empty header. Returns the end of the line. */
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
