/* What of a URL may be shown: not what stands before its host, and nothing of an authority that
 * cannot be read. */
#include "base/public_url.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/escape.h"

/* Returns the length of "scheme://", with any number and kind of slashes; 0 where there is none. */
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

/* Returns the length of the host that `text` begins with, with its brackets if it has some. */
static size_t host_len(const char *text)
{
    size_t len = text[0] == '[' ? strcspn(text, "]/?#\\@") : strcspn(text, ":/?#\\@");
    return len + (text[len] == ']');
}

/* Returns true if `text` begins with a host and perhaps a port, and nothing else stands before the
 * path. */
static bool begins_with_host(const char *text)
{
    size_t len = host_len(text);
    if (len > 0 && text[len] == ':')
        len += 1 + strspn(text + len + 1, "0123456789");
    return len > 0 && (text[len] == '\0' || strchr("/?#", text[len]));
}

/* Returns true if something else than a port stands behind the host: a user's name and a password
 * look so whose '@' is missing or encoded. */
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

/* Returns true if `text`, which has no scheme with slashes, is meant to have one, or has an '@'
 * that is encoded. Else what stands before its colon is a scheme that is unknown. */
static bool means_authority(const char *text)
{
    return strncasecmp(text, "http:", 5) == 0 || strncasecmp(text, "https:", 6) == 0 ||
           strstr(text, "%40");
}

/* Returns true if an authority that cannot be read stands behind the scheme. Without a scheme it
 * may be behind any two slashes: "http//" and "http;//" are none. */
static bool has_bad_authority(const char *url, size_t scheme)
{
    if (hides_password(url + scheme))
        return scheme > 0 || means_authority(url);
    const char *slashes = scheme == 0 ? strstr(url, "//") : NULL;
    return slashes && hides_password(slashes + strspn(slashes, "/"));
}

bool spt_url_is_public(const char *url)
{
    return !strchr(url, '@') && spt_is_printable(url, strlen(url)) &&
           !(strchr(url, ':') && has_bad_authority(url, scheme_len(url)));
}

const char *spt_redact_url(const char *url, char *out, size_t size)
{
    if (spt_url_is_public(url))
        return url;
    const char *at = strrchr(url, '@');
    size_t scheme = scheme_len(url);
    bool plain = !at || (scheme >= 3 && memcmp(url + scheme - 3, "://", 3) == 0 &&
                         begins_with_host(url + scheme));
    const char *rest = plain ? url + scheme : at + 1;
    size_t used = spt_escape(out, size, url, scheme);
    if (at ? !plain && hides_password(rest) : strchr(url, ':') && has_bad_authority(url, scheme))
        rest = "...";
    else if (!plain && scheme == 0)
        used += spt_escape(out + used, size - used, "...@", 4);
    spt_escape(out + used, size - used, rest, strlen(rest));
    return out;
}
