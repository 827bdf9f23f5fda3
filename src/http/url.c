/* SPDX-License-Identifier: MIT */
/* Splits a URL, checks its parts, and writes it in normal form. */
#include "http/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/percent.h"

/* --- bytes --- */

/* Appends bytes, percent-encoding those that may not stand in the part `where`. The URL has room
 * for three times as many. */
static void put_encoded(struct spt_url *url, const char *from, size_t n, unsigned where)
{
    url->len += spt_percent_encode(url->text + url->len, from, n, where);
}

static void put(struct spt_url *url, const char *from, size_t n)
{
    memcpy(url->text + url->len, from, n);
    url->len += n;
}

/* --- references --- */

struct span {
    const char *at; /* NULL: the part is missing */
    size_t len;
};

/* The parts of a reference as written. The scheme excludes its colon, and the authority its
 * slashes. A query includes its '?', and a fragment its '#'. */
struct reference {
    struct span scheme, authority, path, query, fragment;
    int default_port; /* of the scheme; 0: none is known */
    bool is_http, tls;
};

/* Returns the number of bytes before the first '?' or '#', or before the first '/' if `slash` is
 * set. */
static size_t span_until(const char *text, size_t len, bool slash)
{
    size_t n = 0;
    while (n < len && text[n] != '?' && text[n] != '#' && !(slash && text[n] == '/'))
        n++;
    return n;
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t spt_url_scheme_len(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && (is_alpha(text[n]) || (n > 0 && ((text[n] >= '0' && text[n] <= '9') ||
                                                       (text[n] && strchr("+-.", text[n]))))))
        n++;
    return n < len && text[n] == ':' ? n : 0;
}

/* No part may have such bytes. Some parsers take a backslash for a slash, and others do not. */
size_t spt_url_bad_byte(const char *text, size_t len)
{
    size_t path_end = span_until(text, len, false), i = 0;
    while (i < len && (unsigned char)text[i] >= ' ' && text[i] != 127 &&
           !(text[i] == ' ' && (i == 0 || i == len - 1)) && !(text[i] == '\\' && i < path_end))
        i++;
    return i;
}

static bool has_slashes(const char *text, size_t len)
{
    return len >= 2 && text[0] == '/' && text[1] == '/';
}

/* Returns true if some parsers would read a host without a scheme. */
static bool leads_to_a_host(const char *text, size_t len)
{
    return len >= 2 && (text[0] == '/' || text[0] == '\\') && (text[1] == '/' || text[1] == '\\');
}

/* The schemes with hosts that are names of the net or addresses, and with default ports. */
static const struct {
    const char *name;
    int port;
    bool is_http, tls;
} schemes[] = {{"http", 80, true, false},
               {"https", 443, true, true},
               {"ws", 80, false, false},
               {"wss", 443, false, true},
               {"ftp", 21, false, false}};

/* Fills in the scheme and what is known of it. */
static void set_scheme(struct reference *r, const char *text, size_t len)
{
    r->scheme = (struct span){text, len};
    r->default_port = 0;
    r->is_http = r->tls = false;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (len != strlen(schemes[i].name) || strncasecmp(text, schemes[i].name, len) != 0)
            continue;
        r->default_port = schemes[i].port;
        r->is_http = schemes[i].is_http;
        r->tls = schemes[i].tls;
    }
}

/* Reads the scheme and skips it. Returns NULL or a word for the error. */
static const char *read_scheme(struct reference *r, const char **text, size_t *len,
                               enum spt_url_way way)
{
    size_t n = spt_url_scheme_len(*text, *len);
    if (n == 0)
        return way == SPT_URL_ABSOLUTE ? "no_scheme" : NULL;
    bool slashes = has_slashes(*text + n + 1, *len - n - 1);
    set_scheme(r, *text, n);
    if (way != SPT_URL_ANY && !r->is_http)
        return slashes || way == SPT_URL_LINK ? "scheme" : "no_scheme";
    if (way != SPT_URL_ANY && !slashes)
        return "no_scheme";
    *text += n + 1;
    *len -= n + 1;
    return NULL;
}

/* Splits a reference into its parts. Returns NULL or a word for the error. */
static const char *split(struct reference *r, const char *text, size_t len, enum spt_url_way way)
{
    if ((way == SPT_URL_ABSOLUTE || way == SPT_URL_BELOW) && leads_to_a_host(text, len))
        return "no_scheme";
    if (spt_url_bad_byte(text, len) < len)
        return "characters";
    const char *word = read_scheme(r, &text, &len, way);
    if (word)
        return word;
    if (has_slashes(text, len)) {
        size_t n = span_until(text + 2, len - 2, true);
        r->authority = (struct span){text + 2, n};
        text += 2 + n;
        len -= 2 + n;
    }
    size_t n = span_until(text, len, false);
    r->path = (struct span){text, n};
    const char *hash = memchr(text + n, '#', len - n);
    size_t end = hash ? (size_t)(hash - text) : len;
    r->query = (struct span){end > n ? text + n : NULL, end - n};
    r->fragment = (struct span){len > end ? text + end : NULL, len - end};
    return NULL;
}

/* --- writing --- */

static void put_scheme(struct spt_url *url, struct span scheme)
{
    for (size_t i = 0; i < scheme.len;
         i++) /* a capital letter differs by one bit, others have it */
        url->text[url->len++] = (char)(is_alpha(scheme.at[i]) ? scheme.at[i] | 0x20 : scheme.at[i]);
    url->scheme = url->len;
    if (scheme.len > 0)
        put(url, ":", 1);
}

/* Skips the user of an authority and writes it. Returns NULL or a word for the error. */
static const char *put_user(struct spt_url *url, struct span *authority, enum spt_url_way way)
{
    const char *at = memchr(authority->at, '@', authority->len);
    if (!at)
        return NULL;
    size_t n = (size_t)(at - authority->at);
    if (way != SPT_URL_ANY || memchr(at + 1, '@', authority->len - n - 1))
        return "userinfo";
    put_encoded(url, authority->at, n, SPT_PERCENT_USER);
    put(url, "@", 1);
    authority->at += n + 1;
    authority->len -= n + 1;
    return NULL;
}

/* Writes the host of a scheme that gives it a meaning of its own: any bytes, in lower case. */
static const char *put_foreign_host(struct spt_url *url, struct span authority)
{
    const char *colon = memrchr(authority.at, ':', authority.len);
    size_t n = colon ? (size_t)(colon - authority.at) : authority.len;
    if (colon && spt_hostname_read_port(colon + 1, authority.len - n - 1, &url->port))
        return "port";
    if (memchr(authority.at, ':', n) || memchr(authority.at, '[', n) || (n == 0 && colon))
        return "host";
    size_t from = url->len;
    put_encoded(url, authority.at, n, SPT_PERCENT_USER);
    for (size_t i = from; i < url->len; i++) {
        if (url->text[i] == '%' && url->len - i > 2)
            i += 2;
        else if (is_alpha(url->text[i]))
            url->text[i] |= 0x20;
    }
    return NULL;
}

static const char *put_authority(struct spt_url *url, const struct reference *r,
                                 enum spt_url_way way)
{
    struct span rest = r->authority;
    put_scheme(url, r->scheme);
    put(url, "//", 2);
    const char *word = put_user(url, &rest, way);
    url->host_start = url->len;
    if (word)
        return word;
    if (r->default_port || (rest.len > 0 && *rest.at == '[')) {
        word = spt_hostname_read_authority(&url->host, &url->port, rest.at, rest.len);
        put(url, url->host.text, word ? 0 : url->host.len);
    } else {
        word = put_foreign_host(url, rest);
    }
    url->host_end = url->len;
    if (url->port && url->port != r->default_port) {
        put(url, ":", 1);
        url->len += spt_hostname_write_number(url->text + url->len, (unsigned)url->port);
    } else {
        url->port = r->default_port;
    }
    return word;
}

/* Returns 1 for "." and 2 for "..", with dots that may be percent-encoded, and 0 for any other
 * segment. */
static int dots_of(const char *segment, size_t len)
{
    int dots = 0;
    while (len > 0) {
        size_t n = *segment == '.' ? 1 : len >= 3 && strncasecmp(segment, "%2e", 3) == 0 ? 3 : 0;
        if (n == 0 || ++dots > 2)
            return 0;
        segment += n;
        len -= n;
    }
    return dots;
}

/* Removes the last segment, if there is one, from a path that is empty or ends in a slash. */
static void drop_segment(struct spt_url *url)
{
    if (url->len == url->path || (url->len == url->path + 1 && url->text[url->path] == '/'))
        return;
    url->len--;
    while (url->len > url->path && url->text[url->len - 1] != '/')
        url->len--;
}

/* Appends the segments of a path to one that is empty or ends in a slash, and resolves "." and
 * "..". */
static void put_segments(struct spt_url *url, const char *path, size_t len)
{
    for (;;) {
        const char *slash = memchr(path, '/', len);
        size_t n = slash ? (size_t)(slash - path) : len;
        int dots = dots_of(path, n);
        if (dots == 2)
            drop_segment(url);
        if (dots == 0) {
            put_encoded(url, path, n, SPT_PERCENT_PATH);
            if (slash)
                put(url, "/", 1);
        }
        if (!slash)
            return;
        path += n + 1;
        len -= n + 1;
    }
}

/* Returns true if the path is not one of segments: that of "mailto:a@b", or of a reference that
 * has no base. */
static bool is_opaque(const struct spt_url *base, const struct reference *r)
{
    return !r->authority.at && !(r->path.len > 0 && *r->path.at == '/') && (!base || r->scheme.at);
}

/* Writes a path that has a scheme or an authority before it, or begins at the root of its base. */
static void put_root_path(struct spt_url *url, const struct reference *r)
{
    struct span path = r->path;
    if (path.len > 0 || r->default_port)
        put(url, "/", 1);
    path.at += path.len > 0;
    path.len -= path.len > 0;
    put_segments(url, path.at, path.len);
}

/* Writes a path that continues that of the base. */
static void put_relative_path(struct spt_url *url, const struct spt_url *base, struct span path)
{
    const char *from = base->text + base->path;
    const char *last = memrchr(from, '/', base->query - base->path);
    if (last)
        put(url, from, (size_t)(last - from) + 1);
    else if (base->has_authority)
        put(url, "/", 1);
    put_segments(url, path.at, path.len);
}

static void put_path(struct spt_url *url, const struct spt_url *base, const struct reference *r)
{
    const struct span path = r->path;
    url->path = url->len;
    if (is_opaque(base, r))
        put_encoded(url, path.at, path.len, SPT_PERCENT_PATH);
    else if (r->authority.at || (path.len > 0 && *path.at == '/'))
        put_root_path(url, r);
    else if (path.len > 0)
        put_relative_path(url, base, path);
    else
        put(url, base->text + base->path, base->query - base->path);
    if (!url->has_authority && url->len - url->path >= 2 && url->text[url->path] == '/' &&
        url->text[url->path + 1] == '/') { /* it would be read as an authority */
        memmove(url->text + url->path + 2, url->text + url->path, url->len - url->path);
        memcpy(url->text + url->path, "/.", 2);
        url->len += 2;
    }
}

/* Writes what stands before the path. */
static const char *put_beginning(struct spt_url *url, const struct spt_url *base,
                                 const struct reference *r, enum spt_url_way way)
{
    url->has_authority = r->authority.at;
    if (r->authority.at)
        return put_authority(url, r, way);
    if (r->scheme.at || !base) {
        put_scheme(url, r->scheme);
        url->host_start = url->host_end = url->len;
        return NULL;
    }
    put(url, base->text, base->path);
    url->has_authority = base->has_authority;
    url->scheme = base->scheme;
    url->host_start = base->host_start;
    url->host_end = base->host_end;
    url->host = base->host;
    url->port = base->port;
    return NULL;
}

static const char *write_url(struct spt_url *url, const struct spt_url *base,
                             const struct reference *r, enum spt_url_way way)
{
    const char *word = put_beginning(url, base, r, way);
    if (word)
        return word;
    put_path(url, base, r);
    url->query = url->len;
    if (r->query.at)
        put_encoded(url, r->query.at, r->query.len, SPT_PERCENT_QUERY);
    else if (base && !r->scheme.at && !r->authority.at && r->path.len == 0)
        put(url, base->text + base->query, base->fragment - base->query);
    url->fragment = url->len;
    if (r->fragment.at)
        put_encoded(url, r->fragment.at, r->fragment.len, SPT_PERCENT_FRAGMENT);
    url->text[url->len] = '\0';
    return NULL;
}

const char *spt_url_resolve(struct spt_url *url, const struct spt_url *base, const char *reference,
                            size_t len, enum spt_url_way way)
{
    struct reference r = {.tls = false};
    if (!base && way != SPT_URL_ANY)
        way = SPT_URL_ABSOLUTE;
    if (base)
        set_scheme(&r, base->text, base->scheme);
    const struct span scheme = r.scheme;
    r.scheme.at = NULL;
    const char *word = split(&r, reference, len, way);
    *url = (struct spt_url){.tls = r.tls};
    if (word)
        return word;
    if (base && !r.scheme.at && r.authority.at)
        r.scheme = scheme;
    url->text = malloc((base ? base->len : 0) + 3 * len + SPT_HOSTNAME_SIZE + 16);
    if (!url->text)
        return "memory";
    word = write_url(url, base, &r, way);
    if (word)
        spt_url_release(url);
    return word;
}

void spt_url_release(struct spt_url *url)
{
    free(url->text);
    url->text = NULL;
}
