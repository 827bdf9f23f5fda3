/* SPDX-License-Identifier: MIT */
/* Fills in the origin of a URL, which is found again by the beginning of the URL's text. */
#include "http/url_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"
#include "http/percent.h"
#include "http/url.h"
#include "septet/septet.h"

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
        snprintf(text, size, "unknown scheme '%.*s'",
                 (int)spt_url_scheme_len(url, strnlen(url, 40)), url);
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
    for (; spt_percent_stands[*p] & SPT_PERCENT_PATH; p++)
        if ((*p == '.' || *p == '%' || *p == '\\') && (p[-1] == '/' || *p == '\\'))
            return 0;
    if (*p == '?')
        while (spt_percent_stands[*p] & SPT_PERCENT_QUERY)
            p++;
    if (*p == '#')
        while (spt_percent_stands[*p] & SPT_PERCENT_FRAGMENT)
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
