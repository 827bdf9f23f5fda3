/* SPDX-License-Identifier: MIT */
/* Splits a URL, checks its parts, and writes it in normal form. */
#include "http/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/redact.h"
#include "septet/septet.h"

/* --- bytes --- */

enum { IN_PATH = 1, IN_QUERY = 2, IN_FRAGMENT = 4, ANYWHERE = 7 };

/* The parts in which a byte may stand unencoded, by WHATWG's percent-encode sets for path, query
 * and fragment. */
static const unsigned char stands[256] = {
    ['!'] = ANYWHERE,
    ['#'] = IN_FRAGMENT,
    ['$' ... '&'] = ANYWHERE,
    ['\''] = IN_PATH | IN_FRAGMENT,
    ['(' ... ';'] = ANYWHERE,
    ['='] = ANYWHERE,
    ['?'] = IN_QUERY | IN_FRAGMENT,
    ['@' ... ']'] = ANYWHERE,
    ['^'] = IN_QUERY | IN_FRAGMENT,
    ['_'] = ANYWHERE,
    ['`'] = IN_QUERY,
    ['a' ... 'z'] = ANYWHERE,
    ['{'] = IN_QUERY | IN_FRAGMENT,
    ['|'] = ANYWHERE,
    ['}'] = IN_QUERY | IN_FRAGMENT,
    ['~'] = ANYWHERE,
};

/* Appends bytes, percent-encoding those that may not stand in the part `where`. The URL has room
 * for three times as many. */
static void put_encoded(struct spt_url *url, const char *from, size_t n, unsigned where)
{
    static const char digits[] = "0123456789ABCDEF";
    char *to = url->text + url->len;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)from[i];
        if (stands[c] & where) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    url->len = (size_t)(to - url->text);
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

/* The parts of a reference as written. The authority excludes its slashes. A query includes its
 * '?', and a fragment its '#'. */
struct reference {
    struct span authority, path, query, fragment;
    bool tls;
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

/* Returns the length of a scheme, which a colon follows, or 0. */
static size_t scheme_len(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && (is_alpha(text[n]) || (n > 0 && ((text[n] >= '0' && text[n] <= '9') ||
                                                       (text[n] && strchr("+-.", text[n]))))))
        n++;
    return n < len && text[n] == ':' ? n : 0;
}

/* Returns true if the text has bytes that no part may have. Some parsers take a backslash for a
 * slash, and others do not. */
static bool has_bad_bytes(const char *text, size_t len)
{
    bool bad = len > 0 && (text[0] == ' ' || text[len - 1] == ' ');
    for (size_t i = 0; i < len; i++)
        bad |= (unsigned char)text[i] < ' ' || text[i] == 127;
    return bad || memchr(text, '\\', span_until(text, len, false));
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

/* Reads the scheme and skips it. Returns NULL or a word for the error. */
static const char *read_scheme(struct reference *r, const char **text, size_t *len,
                               enum spt_url_way way)
{
    size_t n = scheme_len(*text, *len);
    if (n == 0)
        return way == SPT_URL_ABSOLUTE ? "no_scheme" : NULL;
    bool slashes = has_slashes(*text + n + 1, *len - n - 1);
    r->tls = n == 5;
    if ((n != 4 && n != 5) || strncasecmp(*text, "https", n) != 0)
        return slashes || way == SPT_URL_LINK ? "scheme" : "no_scheme";
    if (!slashes)
        return "no_scheme";
    *text += n + 1;
    *len -= n + 1;
    return NULL;
}

/* Splits a reference into its parts. Returns NULL or a word for the error. */
static const char *split(struct reference *r, const char *text, size_t len, enum spt_url_way way)
{
    if (way != SPT_URL_LINK && leads_to_a_host(text, len))
        return "no_scheme";
    if (has_bad_bytes(text, len))
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

static const char *put_authority(struct spt_url *url, struct span authority)
{
    if (memchr(authority.at, '@', authority.len))
        return "userinfo";
    const char *word =
        spt_hostname_read_authority(&url->host, &url->port, authority.at, authority.len);
    if (word)
        return word;
    int own = url->tls ? 443 : 80;
    put(url, url->tls ? "https://" : "http://", url->tls ? 8 : 7);
    put(url, url->host.text, url->host.len);
    if (url->port && url->port != own) {
        put(url, ":", 1);
        url->len += spt_hostname_write_number(url->text + url->len, (unsigned)url->port);
    } else {
        url->port = own;
    }
    return NULL;
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

/* Removes the last segment, if there is one, from a path that ends in a slash. */
static void drop_segment(struct spt_url *url)
{
    if (url->len == url->path + 1)
        return;
    url->len--;
    while (url->text[url->len - 1] != '/')
        url->len--;
}

/* Appends the segments of a path to a URL that ends in a slash, and resolves "." and "..". */
static void put_segments(struct spt_url *url, const char *path, size_t len)
{
    for (;;) {
        const char *slash = memchr(path, '/', len);
        size_t n = slash ? (size_t)(slash - path) : len;
        int dots = dots_of(path, n);
        if (dots == 2)
            drop_segment(url);
        if (dots == 0) {
            put_encoded(url, path, n, IN_PATH);
            if (slash)
                put(url, "/", 1);
        }
        if (!slash)
            return;
        path += n + 1;
        len -= n + 1;
    }
}

static void put_path(struct spt_url *url, const struct spt_url *base, const struct reference *r)
{
    struct span path = r->path;
    url->path = url->len;
    if (!r->authority.at && path.len == 0) {
        put(url, base->text + base->path, base->query - base->path);
        return;
    }
    if (!r->authority.at && *path.at != '/') {
        const char *from = base->text + base->path;
        const char *last = memrchr(from, '/', base->query - base->path);
        put(url, from, (size_t)(last - from) + 1);
    } else {
        put(url, "/", 1);
        path.at += path.len > 0;
        path.len -= path.len > 0;
    }
    put_segments(url, path.at, path.len);
}

static const char *write_url(struct spt_url *url, const struct spt_url *base,
                             const struct reference *r)
{
    if (r->authority.at) {
        const char *word = put_authority(url, r->authority);
        if (word)
            return word;
    } else {
        put(url, base->text, base->path);
        url->host = base->host;
        url->port = base->port;
    }
    put_path(url, base, r);
    url->query = url->len;
    if (r->query.at)
        put_encoded(url, r->query.at, r->query.len, IN_QUERY);
    else if (!r->authority.at && r->path.len == 0)
        put(url, base->text + base->query, base->fragment - base->query);
    url->fragment = url->len;
    if (r->fragment.at)
        put_encoded(url, r->fragment.at, r->fragment.len, IN_FRAGMENT);
    url->text[url->len] = '\0';
    return NULL;
}

const char *spt_url_resolve(struct spt_url *url, const struct spt_url *base, const char *reference,
                            size_t len, enum spt_url_way way)
{
    struct reference r = {.tls = base && base->tls};
    const char *word = split(&r, reference, len, base ? way : SPT_URL_ABSOLUTE);
    *url = (struct spt_url){.tls = r.tls};
    if (word)
        return word;
    url->text = malloc((base ? base->len : 0) + 3 * len + SPT_HOSTNAME_SIZE + 16);
    if (!url->text)
        return "memory";
    word = write_url(url, base, &r);
    if (word)
        spt_url_release(url);
    return word;
}

void spt_url_release(struct spt_url *url)
{
    free(url->text);
    url->text = NULL;
}

/* --- the checker --- */

int spt_url_checker_init(struct spt_url_checker *c)
{
    *c = (struct spt_url_checker){.parser = curl_url()};
    return c->parser ? SEPTET_OK : SEPTET_ENOMEM;
}

void spt_url_checker_release(struct spt_url_checker *c)
{
    curl_url_cleanup(c->parser);
}

/* Returns true if the text would be a URL with "http://" before it. */
static bool lacks_a_scheme_alone(const char *url)
{
    char text[256];
    struct spt_url made;
    int len = snprintf(text, sizeof text, "http://%s", url);
    if (len >= (int)sizeof text ||
        spt_url_resolve(&made, NULL, text, (size_t)len, SPT_URL_ABSOLUTE))
        return false;
    spt_url_release(&made);
    return true;
}

static void say(const char *word, const char *url, char *text, size_t size)
{
    char room[256];
    const char *shown = strchr(url, '@') ? "..." : spt_redact_url(url, room, sizeof room);
    if (strcmp(word, "characters") == 0)
        snprintf(text, size, "the URL has a control character, a blank at an end, or a backslash");
    else if (strcmp(word, "no_scheme") == 0)
        snprintf(text, size, "no scheme in '%.200s'%s", shown,
                 lacks_a_scheme_alone(url) ? ", did you mean 'http://...'?" : "");
    else if (strcmp(word, "scheme") == 0)
        snprintf(text, size, "unknown scheme '%.*s'", (int)scheme_len(url, strnlen(url, 40)), url);
    else if (strcmp(word, "host") == 0)
        snprintf(text, size, "no host, or none that can be one, in '%.200s'", shown);
    else
        snprintf(text, size, "bad URL '%.200s': %s", shown, word);
}

static void write_origin(struct spt_url_origin *origin, const struct spt_url *url)
{
    origin->tls = url->tls;
    origin->port = url->port;
    origin->len = (size_t)snprintf(origin->key, sizeof origin->key, "%s://%s:%d",
                                   url->tls ? "https" : "http", url->host.text, url->port);
    origin->host = origin->key + (url->tls ? 8 : 7);
    origin->host_len = url->host.len;
}

/* Compares the host and port of an origin with those that libcurl's parser reads, as only the
 * former are judged. Returns NULL if they are the same, or a word for the error. */
static const char *compare(CURLU *parser, const struct spt_url_origin *origin)
{
    struct spt_hostname seen = {.len = 0};
    char *host = NULL, *port = NULL;
    CURLUcode rc = curl_url_set(parser, CURLUPART_URL, origin->key, 0);
    if (rc == CURLUE_OK)
        rc = curl_url_get(parser, CURLUPART_HOST, &host, 0);
    if (rc == CURLUE_OK)
        rc = curl_url_get(parser, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    const char *word = rc == CURLUE_OK              ? spt_hostname_read(&seen, host, strlen(host))
                       : rc == CURLUE_OUT_OF_MEMORY ? "memory"
                                                    : "host";
    const char *zone = memchr(origin->host, '%', origin->host_len); /* which libcurl's host lacks */
    size_t len = zone ? (size_t)(zone - origin->host) : origin->host_len;
    if (!word && (atoi(port) != origin->port || strncmp(seen.text, origin->host, len) != 0 ||
                  seen.len != len + (zone != NULL)))
        word = "host";
    curl_free(host);
    curl_free(port);
    return word;
}

/* Returns the length of "scheme://host[:port]" if nothing after it needs to be rewritten, or 0. */
static size_t plain_authority(const char *url)
{
    size_t start = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t len = start + strcspn(url + start, "/?#\\");
    if (start == 0 || url[len] != '/')
        return 0;
    const unsigned char *p = (const unsigned char *)url + len;
    for (; stands[*p] & IN_PATH; p++)
        if ((*p == '.' || *p == '%' || *p == '\\') && (p[-1] == '/' || *p == '\\'))
            return 0;
    if (*p == '?')
        while (stands[*p] & IN_QUERY)
            p++;
    if (*p == '#')
        while (stands[*p] & IN_FRAGMENT)
            p++;
    return *p ? 0 : len;
}

static size_t slot_of(const char *text, size_t len)
{
    return (len + (unsigned char)text[len - 1] + (unsigned char)text[len / 2]) % SPT_URL_KNOWN;
}

/* Fills in the origin of a URL and caches it. Returns NULL or a word for the error. */
static const char *learn(struct spt_url_checker *c, const struct spt_url *url,
                         const struct spt_url_origin **origin)
{
    size_t len = url->path, at = slot_of(url->text, len);
    *origin = &c->known[at].origin;
    if (len == c->known[at].len && memcmp(c->known[at].text, url->text, len) == 0)
        return NULL;
    c->known[at].len = 0;
    write_origin(&c->known[at].origin, url);
    const char *word = compare(c->parser, &c->known[at].origin);
    if (!word && len <= SPT_URL_KNOWN_LEN) {
        memcpy(c->known[at].text, url->text, len);
        c->known[at].len = len;
    }
    return word;
}

const char *spt_url_check(struct spt_url_checker *c, const char *url,
                          const struct spt_url_origin **origin, char **rebuilt, char *text,
                          size_t size)
{
    size_t len = plain_authority(url);
    *rebuilt = NULL;
    if (len > 0) {
        size_t at = slot_of(url, len);
        *origin = &c->known[at].origin;
        if (len == c->known[at].len && memcmp(c->known[at].text, url, len) == 0)
            return NULL;
    }
    struct spt_url made;
    const char *word = spt_url_resolve(&made, NULL, url, strlen(url), SPT_URL_ABSOLUTE);
    if (!word)
        word = learn(c, &made, origin);
    if (!word && strcmp(made.text, url) != 0) {
        *rebuilt = made.text;
        return NULL;
    }
    spt_url_release(&made);
    if (word)
        say(word, url, text, size);
    return word;
}
