/* SPDX-License-Identifier: MIT */
/* Removes the part of a URL before its host, and any authority that cannot be parsed. Knows secrets
 * by the ends of their names: there is no list of what all servers call theirs. */
#include "base/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/escape.h"

enum { NAME_END = 32 }; /* characters at the end of a name that are looked at */

/* Returns the length of "scheme://", with any number and kind of slashes; 0 if there is none. */
static size_t scheme_len(const char *url)
{
    const char *p = url;
    while (isalnum((unsigned char)*p) || (*p && strchr("+.-", *p)))
        p++;
    if (p == url || p[0] != ':' || (p[1] != '/' && p[1] != '\\'))
        return 0;
    p++;
    return (size_t)(p - url) + strspn(p, "/\\");
}

/* Returns the length of the host at the start of `text`, including its brackets, if any. */
static size_t host_len(const char *text)
{
    size_t len = text[0] == '[' ? strcspn(text, "]/?#\\@") : strcspn(text, ":/?#\\@");
    return len + (text[len] == ']');
}

/* Returns true if `text` starts with a host and perhaps a port, followed by nothing but a path. */
static bool begins_with_host(const char *text)
{
    size_t len = host_len(text);
    if (len > 0 && text[len] == ':')
        len += 1 + strspn(text + len + 1, "0123456789");
    return len > 0 && (text[len] == '\0' || strchr("/?#", text[len]));
}

/* Returns true if something other than a port follows the host. A user name and password look like
 * that if their '@' is missing or encoded. */
static bool hides_password(const char *text)
{
    size_t len = host_len(text);
    if (text[0] == '[' && text[len - 1] != ']')
        return true;
    if (text[len] == ':')
        len += 1 + strspn(text + len + 1, "0123456789");
    else if (text[0] != '[' || text[len] == '@')
        return false;
    return text[len] && !strchr("/?#\\", text[len]);
}

/* Returns true if `text`, which has no scheme with slashes, is meant to have one, or has an encoded
 * '@'. Otherwise the part before its colon is an unknown scheme. */
static bool means_authority(const char *text)
{
    return strncasecmp(text, "http:", 5) == 0 || strncasecmp(text, "https:", 6) == 0 ||
           strstr(text, "%40");
}

/* Returns true if an authority that cannot be parsed follows the scheme. Without a scheme it may
 * follow any two slashes, because "http//" and "http;//" are no schemes. */
static bool has_bad_authority(const char *url, size_t scheme)
{
    if (hides_password(url + scheme))
        return scheme > 0 || means_authority(url);
    const char *slashes = scheme == 0 ? strstr(url, "//") : NULL;
    return slashes && hides_password(slashes + strspn(slashes, "/"));
}

bool spt_redact_keeps_url(const char *url)
{
    return !strchr(url, '@') && spt_escape_keeps_text(url, strlen(url)) &&
           !(strchr(url, ':') && has_bad_authority(url, scheme_len(url)));
}

const char *spt_redact_url(const char *url, char *out, size_t size)
{
    if (spt_redact_keeps_url(url))
        return url;
    const char *at = strrchr(url, '@');
    size_t scheme = scheme_len(url);
    bool plain = !at || (scheme >= 3 && memcmp(url + scheme - 3, "://", 3) == 0 &&
                         begins_with_host(url + scheme));
    const char *rest = plain ? url + scheme : at + 1;
    size_t used = spt_escape_text(out, size, url, scheme);
    if (at ? !plain && hides_password(rest) : strchr(url, ':') && has_bad_authority(url, scheme))
        rest = "...";
    else if (!plain && scheme == 0)
        used += spt_escape_text(out + used, size - used, "...@", 4);
    spt_escape_text(out + used, size - used, rest, strlen(rest));
    return out;
}

/* --- secrets --- */

/* Writes the end of a name in small letters, without what is no letter or digit. */
static void simplify(const char *name, size_t len, char out[NAME_END])
{
    size_t at = NAME_END - 1;
    out[at] = '\0';
    while (len > 0 && at > 0) {
        int c = tolower((unsigned char)name[--len]);
        if (isalnum(c))
            out[--at] = (char)c;
    }
    memmove(out, out + at, NAME_END - at);
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), n = strlen(end);
    return len >= n && strcmp(name + len - n, end) == 0;
}

static bool ends_with_any(const char *name, const char *const *ends)
{
    while (*ends && !ends_with(name, *ends))
        ends++;
    return *ends != NULL;
}

static bool is_any(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

static bool is_secret(const char *name)
{
    static const char *const ends[] = {"signature",  "token",     "secret",      "password",
                                       "passwd",     "apikey",    "accesskeyid", "keypairid",
                                       "credential", "assertion", "jwt",         NULL};
    return ends_with_any(name, ends);
}

bool spt_redact_hides_header(const char *name, size_t len)
{
    static const char *const ends[] = {"authorization",
                                       "authentication",
                                       "authenticate",
                                       "authenticationinfo",
                                       "auth",
                                       "cookie",
                                       "cookie2",
                                       "key",
                                       "session",
                                       "sessionid",
                                       NULL};
    static const char *const harmless[] = {"secwebsocketkey", "idempotencykey", "surrogatekey",
                                           NULL};
    char simple[NAME_END];
    simplify(name, len, simple);
    return is_secret(simple) || (ends_with_any(simple, ends) && !is_any(simple, harmless));
}

static bool hides_parameter(const char *name, size_t len)
{
    static const char *const names[] = {"sig", "key", "auth", "pwd", "sid", NULL};
    char simple[NAME_END];
    simplify(name, len, simple);
    return is_secret(simple) || is_any(simple, names);
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

size_t spt_redact_find_secret(const char *text, size_t len, size_t *size)
{
    size_t name = len;           /* place of the name that may begin here; `len`: none */
    if (!memchr(text, '=', len)) /* as in most texts */
        return len;
    for (size_t i = 0; i < len; i++) {
        if (is_one_of(text[i], "?&#;")) {
            name = i + 1;
        } else if (text[i] == '=' && name < i) {
            size_t from = i + 1, to = from;
            while (to < len && !is_one_of(text[to], "&#; \t\"'<>"))
                to++;
            if (to > from && hides_parameter(text + name, i - name)) {
                *size = to - from;
                return from;
            }
            name = len;
        }
    }
    return len;
}

/* Replaces `n` bytes at `at` of a text, which is cut at `size` bytes. */
static void hide(char *text, size_t size, size_t at, size_t n)
{
    static const char shown[] = SPT_REDACTED;
    size_t len = strlen(text), tail = len - at - n, room = size - 1 - at;
    size_t head = sizeof shown - 1 < room ? sizeof shown - 1 : room;
    tail = tail < room - head ? tail : room - head;
    memmove(text + at + head, text + at + n, tail);
    memcpy(text + at, shown, head);
    text[at + head + tail] = '\0';
}

const char *spt_redact_kept_url(const char *url, char *out, size_t size)
{
    const char *shown = spt_redact_url(url, out, size);
    size_t len = strlen(shown), at = 0, n;
    if (spt_redact_find_secret(shown, len, &n) == len)
        return shown;
    if (shown != out) {
        len = len < size - 1 ? len : size - 1;
        memcpy(out, shown, len);
        out[len] = '\0';
    }
    while (at < strlen(out)) {
        len = strlen(out + at);
        size_t from = spt_redact_find_secret(out + at, len, &n);
        if (from == len)
            break;
        hide(out, size, at + from, n);
        at += from;
    }
    return out;
}
