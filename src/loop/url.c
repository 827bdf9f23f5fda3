/* URL checks: what libcurl's parser lets pass and we do not, then the parser. */
#include "loop/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

static bool is_scheme_char(char c, bool first)
{
    bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return alpha || (!first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
}

static size_t scheme_len(const char *url)
{
    size_t n = 0;
    while (is_scheme_char(url[n], n == 0))
        n++;
    return url[n] == ':' && url[n + 1] == '/' && url[n + 2] == '/' ? n : 0;
}

static bool has_control(const char *url)
{
    unsigned char bad = 0;
    for (const unsigned char *p = (const unsigned char *)url; *p; p++)
        bad |= *p <= ' ' || *p == 127;
    return bad;
}

static const char *check_text(const char *url, char *text, size_t size)
{
    if (has_control(url)) {
        snprintf(text, size, "the URL has a space or a control character in it");
        return "characters";
    }
    size_t n = scheme_len(url);
    if (n == 0) {
        snprintf(text, size, "no scheme in '%.200s'", strchr(url, '@') ? "..." : url);
        return "no_scheme";
    }
    if ((n != 4 || strncasecmp(url, "http", 4) != 0) &&
        (n != 5 || strncasecmp(url, "https", 5) != 0)) {
        snprintf(text, size, "unknown scheme '%.*s'", (int)(n < 40 ? n : 40), url);
        return "scheme";
    }
    if (url[n + 3] == '/') { /* libcurl would take what follows for the host */
        snprintf(text, size, "no host in the URL");
        return "host";
    }
    return NULL;
}

static const char *parse_word(CURLUcode code)
{
    switch (code) {
    case CURLUE_USER_NOT_ALLOWED:
        return "userinfo";
    case CURLUE_NO_HOST:
    case CURLUE_BAD_HOSTNAME:
    case CURLUE_BAD_IPV6:
        return "host";
    case CURLUE_BAD_PORT_NUMBER:
        return "port";
    case CURLUE_OUT_OF_MEMORY:
        return "memory";
    default:
        return "malformed";
    }
}

/* Host names compare without regard to case; the rest of the key has one spelling. */
static void write_key(struct spt_url_origin *origin, const char *host, const char *port)
{
    int n = snprintf(origin->key, sizeof origin->key, "%s://%s:%s", origin->tls ? "https" : "http",
                     host, port);
    origin->len = n < (int)sizeof origin->key ? (size_t)n : sizeof origin->key - 1;
    for (size_t i = 0; i < origin->len; i++)
        if (origin->key[i] >= 'A' && origin->key[i] <= 'Z')
            origin->key[i] = (char)(origin->key[i] - 'A' + 'a');
    origin->host = strstr(origin->key, "://") + 3;
    origin->host_len = strlen(host);
    origin->port = atoi(port);
}

static CURLUcode read_origin(CURLU *u, struct spt_url_origin *origin)
{
    char *host = NULL, *port = NULL;
    CURLUcode rc = curl_url_get(u, CURLUPART_HOST, &host, 0);
    if (rc == CURLUE_OK)
        rc = curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (rc == CURLUE_OK && strlen(host) > 255)
        rc = CURLUE_BAD_HOSTNAME;
    if (rc == CURLUE_OK)
        write_key(origin, host, port);
    curl_free(host);
    curl_free(port);
    return rc;
}

static const char *parse(CURLU *u, const char *url, struct spt_url_origin *origin, char *text,
                         size_t size)
{
    origin->tls = (url[4] | 0x20) == 's';
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (rc == CURLUE_OK)
        rc = read_origin(u, origin);
    if (rc == CURLUE_OK)
        return NULL;
    const char *word = parse_word(rc);
    if (strchr(url, '@')) /* what stands before it may be a password, and is not repeated */
        snprintf(text, size, "bad URL: %s", word);
    else
        snprintf(text, size, "bad URL '%.200s': %s", url, word);
    return word;
}

/* Bytes of "scheme://host:port" as written; what follows them cannot make a good URL bad once its
 * characters are checked. */
static size_t authority_end(const char *url)
{
    size_t start = scheme_len(url) + 3;
    return start + strcspn(url + start, "/?#\\");
}

/* A user before the host is what is wrong with a URL that has one. */
static bool is_foreign(const char *url, size_t len)
{
    unsigned char high = 0;
    for (size_t i = 0; i < len; i++)
        high |= (unsigned char)url[i];
    return high >= 128 && !memchr(url, '@', len);
}

const char *spt_url_check(struct spt_url_checker *c, const char *url,
                          const struct spt_url_origin **origin, char *text, size_t size)
{
    const char *word = check_text(url, text, size);
    if (word)
        return word;
    size_t len = authority_end(url);
    size_t at = (len + (unsigned char)url[len - 1] + (unsigned char)url[len / 2]) % SPT_URL_KNOWN;
    *origin = &c->known[at].origin;
    if (len == c->known[at].len && memcmp(c->known[at].text, url, len) == 0)
        return NULL;
    c->known[at].len = 0;
    if (is_foreign(url, len))
        return SPT_URL_NOT_ASCII;
    word = parse(c->parser, url, &c->known[at].origin, text, size);
    if (!word && len <= SPT_URL_KNOWN_LEN) {
        memcpy(c->known[at].text, url, len);
        c->known[at].len = len;
    }
    return word;
}

const char *spt_url_join(const char *base, const char *url, char *out, size_t size)
{
    char *joined = NULL;
    CURLU *u = curl_url();
    CURLUcode rc = u ? curl_url_set(u, CURLUPART_URL, base, 0) : CURLUE_OUT_OF_MEMORY;
    if (rc == CURLUE_OK)
        rc = curl_url_set(u, CURLUPART_URL, url, 0);
    if (rc == CURLUE_OK)
        rc = curl_url_get(u, CURLUPART_URL, &joined, 0);
    if (rc == CURLUE_OK && strlen(joined) >= size)
        rc = CURLUE_MALFORMED_INPUT;
    if (rc == CURLUE_OK)
        memcpy(out, joined, strlen(joined) + 1);
    curl_free(joined);
    curl_url_cleanup(u);
    return rc == CURLUE_OK ? NULL : parse_word(rc);
}

char *spt_url_locate(const char *base, const char *location, size_t len)
{
    char *joined = NULL, *result = NULL, *text = malloc(len + 1);
    if (text) {
        memcpy(text, location, len);
        text[len] = '\0';
    }
    CURLU *u = text ? curl_url() : NULL;
    CURLUcode rc = u ? curl_url_set(u, CURLUPART_URL, base, 0) : CURLUE_OUT_OF_MEMORY;
    if (rc == CURLUE_OK)
        rc = curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (rc == CURLUE_OK)
        rc = curl_url_get(u, CURLUPART_URL, &joined, 0);
    if (rc == CURLUE_OK)
        result = strdup(joined);
    else if (rc != CURLUE_OUT_OF_MEMORY) {
        result = text;
        text = NULL;
    }
    curl_free(joined);
    curl_url_cleanup(u);
    free(text);
    return result;
}

void spt_url_drop_user(char *url)
{
    char *authority = url + scheme_len(url) + 3, *host = authority;
    for (char *p = authority; *p && !strchr("/?#\\", *p); p++)
        if (*p == '@')
            host = p + 1;
    memmove(authority, host, strlen(host) + 1);
}
