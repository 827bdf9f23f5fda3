/* SPDX-License-Identifier: MIT */
/* Reads the attributes in their order. A later one of the same name replaces the earlier. */
#include "http/set_cookie.h"

#include <string.h>
#include <strings.h>

#include "http/cookie_date.h"
#include "http/hostname.h"
#include "http/cookie_site.h"

/* --- texts --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct spt_piece spt_set_cookie_trim(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    while (at < end && is_blank(end[-1]))
        end--;
    return (struct spt_piece){at, (size_t)(end - at)};
}

static bool is(struct spt_piece p, const char *word)
{
    return p.len == strlen(word) && strncasecmp(p.at, word, p.len) == 0;
}

static bool begins(struct spt_piece p, const char *word)
{
    return p.len >= strlen(word) && strncasecmp(p.at, word, strlen(word)) == 0;
}

bool spt_set_cookie_same(struct spt_piece a, const char *b, size_t len)
{
    return a.len == len && memcmp(a.at, b, len) == 0;
}

static bool has_control_character(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

/* --- reading --- */

static struct spt_piece default_path(const struct spt_cookie_site *site)
{
    size_t n = site->path_len;
    while (n > 1 && site->path[n - 1] != '/')
        n--;
    return (struct spt_piece){site->path, n > 1 ? n - 1 : 1};
}

static int64_t read_max_age(struct spt_piece p)
{
    bool negative = p.len > 0 && p.at[0] == '-';
    int64_t n = 0;
    size_t i = negative;
    if (i >= p.len)
        return INT64_MIN;
    for (; i < p.len; i++) {
        if (p.at[i] < '0' || p.at[i] > '9')
            return INT64_MIN;
        if (n < INT64_C(1) << 40)
            n = n * 10 + (p.at[i] - '0');
    }
    return negative ? 0 : n;
}

/* Stores an attribute. If a name occurs several times, the last one counts. */
static void read_attribute(struct spt_set_cookie *w, struct spt_piece name, struct spt_piece value)
{
    if (is(name, "secure")) {
        w->secure = true;
    } else if (is(name, "httponly")) {
        w->http_only = true;
    } else if (is(name, "domain")) {
        if (value.len > 0 && value.at[0] == '.')
            value = (struct spt_piece){value.at + 1, value.len - 1};
        w->domain = value;
    } else if (is(name, "path")) {
        w->path = value;
    } else if (is(name, "expires")) {
        int64_t date = spt_cookie_date(value.at, value.len);
        w->expires = date != INT64_MIN ? date : w->expires;
    } else if (is(name, "max-age")) {
        int64_t seconds = read_max_age(value);
        w->max_age = seconds != INT64_MIN ? seconds : w->max_age;
    }
}

/* Parses a Set-Cookie header. Returns false if the text is not a cookie. */
static bool read_cookie(struct spt_set_cookie *w, const char *text, size_t len)
{
    const char *end = text + len, *semicolon = memchr(text, ';', len);
    const char *stop = semicolon ? semicolon : end;
    const char *equals = memchr(text, '=', (size_t)(stop - text));
    *w = (struct spt_set_cookie){.expires = INT64_MIN, .max_age = INT64_MIN};
    if (!equals || has_control_character(text, len))
        return false;
    w->name = spt_set_cookie_trim(text, equals);
    w->value = spt_set_cookie_trim(equals + 1, stop);
    while (stop < end) {
        const char *from = stop + 1;
        semicolon = memchr(from, ';', (size_t)(end - from));
        stop = semicolon ? semicolon : end;
        equals = memchr(from, '=', (size_t)(stop - from));
        read_attribute(w, spt_set_cookie_trim(from, equals ? equals : stop),
                       equals ? spt_set_cookie_trim(equals + 1, stop)
                              : (struct spt_piece){stop, 0});
    }
    return w->name.len > 0 && w->name.len + w->value.len <= SPT_COOKIE_SIZE_MAX;
}

/* Reads a domain like the host of a URL, but accepts neither percent-encoding nor a trailing dot.
 * Returns false if it is invalid. */
static bool read_domain(struct spt_piece domain, char room[256])
{
    struct spt_hostname host;
    if (memchr(domain.at, '%', domain.len) || domain.at[domain.len - 1] == '.' ||
        spt_hostname_read(&host, domain.at, domain.len))
        return false;
    bool bracketed = host.kind == SPT_HOSTNAME_V6; /* a site has none */
    size_t len = host.len - 2 * bracketed;
    memcpy(room, host.text + bracketed, len);
    room[len] = '\0';
    return true;
}

/* Determines the cookie's domain. Returns false if the site may not set a cookie for it. */
static bool settle_domain(struct spt_set_cookie *w, const struct spt_cookie_site *site)
{
    char *room = w->room;
    w->host_only = w->domain.len == 0;
    if (w->host_only) {
        strcpy(room, site->host);
    } else {
        if (!read_domain(w->domain, room) ||
            !spt_cookie_site_is_below(site->host, room, strlen(room)))
            return false;
        if (!spt_cookie_site_is_address(room) && spt_cookie_site_is_public_suffix(room)) {
            w->host_only = true;
            if (strcmp(room, site->host) != 0)
                return false;
        }
    }
    w->domain = (struct spt_piece){room, strlen(room)};
    return true;
}

/* Returns true if the cookie keeps what the prefix of its name promises. */
static bool keeps_prefix(const struct spt_set_cookie *w, bool has_domain)
{
    if (begins(w->name, "__secure-"))
        return w->secure;
    if (begins(w->name, "__host-"))
        return w->secure && !has_domain && spt_set_cookie_same(w->path, "/", 1);
    return true;
}

/* Returns true if the cookie keeps what the prefix of its name promises, and a Secure one comes
 * over a secure connection. */
static bool keeps_its_word(const struct spt_set_cookie *w, const struct spt_cookie_site *site,
                           bool has_domain)
{
    return !(w->secure && !site->secure) && keeps_prefix(w, has_domain);
}

/* Sets the instant at which the cookie expires, which an attribute gives, or the end of the
 * session. */
static void settle_expiry(struct spt_set_cookie *w, int64_t now)
{
    if (w->max_age != INT64_MIN)
        w->expires = w->max_age > 0 ? now + w->max_age : now;
    else if (w->expires == INT64_MIN)
        w->expires = INT64_MAX;
}

bool spt_set_cookie_read(struct spt_set_cookie *w, const struct spt_cookie_site *site,
                         const char *text, size_t len, int64_t now)
{
    if (!read_cookie(w, text, len))
        return false;
    bool has_domain = w->domain.len > 0;
    if (w->path.len == 0 || w->path.at[0] != '/')
        w->path = default_path(site);
    settle_expiry(w, now);
    return settle_domain(w, site) && keeps_its_word(w, site, has_domain);
}

/* --- from scripts --- */

static bool has_any(struct spt_piece p, const char *characters)
{
    for (size_t i = 0; i < p.len; i++)
        if (p.at[i] != '\0' && strchr(characters, p.at[i]))
            return true;
    return has_control_character(p.at, p.len);
}

static bool is_trimmed(struct spt_piece p)
{
    return p.len == 0 || !(is_blank(p.at[0]) || is_blank(p.at[p.len - 1]));
}

static const char *check_domain(struct spt_set_cookie *w)
{
    if (w->domain.len > 0 && w->domain.at[0] == '.')
        w->domain = (struct spt_piece){w->domain.at + 1, w->domain.len - 1};
    if (w->domain.len == 0 || memchr(w->domain.at, '\0', w->domain.len) ||
        !read_domain(w->domain, w->room))
        return "the domain is not a host";
    w->domain = (struct spt_piece){w->room, strlen(w->room)};
    if (spt_cookie_site_is_address(w->room))
        w->host_only = true;
    if (!w->host_only && spt_cookie_site_is_public_suffix(w->room))
        return "the domain is a public suffix, so 'host_only' must be true";
    return NULL;
}

const char *spt_set_cookie_check(struct spt_set_cookie *w)
{
    if (w->name.len == 0 || has_any(w->name, "=;") || !is_trimmed(w->name))
        return "the name is empty, or has '=', ';', a control character or a blank at an end";
    if (has_any(w->value, ";") || !is_trimmed(w->value))
        return "the value has ';', a control character or a blank at an end";
    if (w->name.len + w->value.len > SPT_COOKIE_SIZE_MAX)
        return "the name and the value have more than 4096 bytes";
    if (w->path.len == 0 || w->path.at[0] != '/' || has_any(w->path, ";"))
        return "the path does not begin with '/', or has ';' or a control character";
    if (w->path.len > SPT_COOKIE_SIZE_MAX)
        return "the path has more than 4096 bytes";
    const char *fault = check_domain(w);
    if (!fault && !keeps_prefix(w, !w->host_only))
        fault = "the prefix of the name requires 'secure', and '__Host-' also 'host_only' and the "
                "path '/'";
    return fault;
}
