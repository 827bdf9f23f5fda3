/* SPDX-License-Identifier: MIT */
/* Removes the part of a URL before its host, and any authority that cannot be parsed. */
#include "base/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/escape.h"

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
