/* SPDX-License-Identifier: MIT */
/* URLs, differentially. What is judged is what libcurl's parser sees in the text that it is given;
 * that is the same with a cold and a warm memory of origins; and the same for one URL as a
 * request's, as an absolute and a relative Location, and below a base. The input is a base's choice
 * and a text. */
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "http/policy.h"
#include "http/url.h"
#include "http/url_check.h"
#include "septet/septet.h"

enum { TEXT_MAX = 4096 };

/* --- requests --- */

/* What became of a URL as a request's. */
struct verdict {
    const char *word; /* NULL: it passed */
    char url[3 * TEXT_MAX + 600], host[SPT_HOSTNAME_SIZE];
    int port;
    bool tls;
};

#ifdef SPT_FUZZ_PLANT
/* The bug: the authority ends at a backslash for the policy, and the text goes to libcurl as it
 * is. */
static void misjudge(struct verdict *v, const char *url)
{
    char head[TEXT_MAX + 1];
    struct spt_url made;
    size_t n = strcspn(url, "\\");
    if (!url[n] || memchr(url, '?', n) || memchr(url, '#', n))
        return;
    memcpy(head, url, n);
    if (spt_url_resolve(&made, NULL, head, n, SPT_URL_ABSOLUTE))
        return;
    v->word = NULL;
    snprintf(v->url, sizeof v->url, "%s", url);
    snprintf(v->host, sizeof v->host, "%s", made.host.text);
    v->port = made.port;
    v->tls = made.tls;
    spt_url_release(&made);
}
#endif

static void request(struct spt_url_checker *checker, const char *url, struct verdict *v)
{
    const struct spt_url_origin *origin;
    char text[256] = "", *rebuilt;
    v->word = spt_url_check(checker, url, &origin, &rebuilt, text, sizeof text);
    if (v->word) {
        CHECK(!rebuilt && text[0]);
#ifdef SPT_FUZZ_PLANT
        misjudge(v, url);
#endif
        return;
    }
    snprintf(v->url, sizeof v->url, "%s", rebuilt ? rebuilt : url);
    snprintf(v->host, sizeof v->host, "%.*s", (int)origin->host_len, origin->host);
    v->port = origin->port;
    v->tls = origin->tls;
    free(rebuilt);
}

static void check_same(const struct verdict *a, const struct verdict *b)
{
    CHECK(!a->word == !b->word);
    if (a->word) {
        CHECK(strcmp(a->word, b->word) == 0);
        return;
    }
    CHECK(strcmp(a->url, b->url) == 0 && strcmp(a->host, b->host) == 0);
    CHECK(a->port == b->port && a->tls == b->tls);
}

/* The parts as libcurl sees them, with the flags that its own transfers set. */
static void check_libcurl(const struct verdict *v)
{
    CURLU *u = curl_url();
    char *scheme, *host, *port, *path, *query = NULL, *fragment = NULL, *user = NULL, *zone = NULL;
    char text[SPT_HOSTNAME_SIZE + 32], rest[3 * TEXT_MAX + 600];
    CHECK(u);
    CHECK(!curl_url_set(u, CURLUPART_URL, v->url,
                        CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS));
    CHECK(!curl_url_get(u, CURLUPART_SCHEME, &scheme, 0));
    CHECK(!curl_url_get(u, CURLUPART_HOST, &host, 0));
    CHECK(!curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT));
    CHECK(!curl_url_get(u, CURLUPART_PATH, &path, 0));
    curl_url_get(u, CURLUPART_QUERY, &query, 0);
    curl_url_get(u, CURLUPART_FRAGMENT, &fragment, 0);
    CHECK(curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
    curl_url_get(u, CURLUPART_ZONEID, &zone, 0);
    snprintf(text, sizeof text, "%.*s%s%s%s", (int)strcspn(host, "]"), host, zone ? "%25" : "",
             zone ? zone : "", host[0] == '[' ? "]" : "");
    CHECK(strcmp(text, v->host) == 0);
    CHECK(atoi(port) == v->port && strcmp(scheme, v->tls ? "https" : "http") == 0);
    snprintf(rest, sizeof rest, "%s%s%s%s%s", path, query ? "?" : "", query ? query : "",
             fragment ? "#" : "", fragment ? fragment : "");
    const char *ours = strchr(v->url + (v->tls ? 8 : 7), '/');
    CHECK(ours);
    if (strcmp(rest, ours) != 0) { /* it keeps no query and no fragment that is empty */
        size_t n = strlen(rest);
        const char *bare = strpbrk(ours, "?#");
        CHECK(bare && strncmp(rest, ours, strlen(path)) == 0 && n < strlen(ours));
        CHECK(strlen(ours) - n <= 2);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    curl_free(fragment);
    curl_free(zone);
    curl_url_cleanup(u);
}

/* Rules see the host that libcurl sees. */
static void check_rules(const struct verdict *v)
{
    struct spt_policy *policy;
    const char *rule = v->host, *bad;
    bool named;
    if (strchr(rule, '%') || strcmp(rule, "private") == 0 ||
        strcmp(rule, "private.") == 0) /* no rule has a zone; a word is none's name */
        return;
    CHECK(spt_policy_new(&policy, NULL, 0, &rule, 1, &bad) == SEPTET_OK);
    CHECK(spt_policy_host(policy, v->host, strlen(v->host), v->port, &named).reason);
    spt_policy_free(policy);
}

/* --- references --- */

static const char *resolve(const char *base, const char *reference, enum spt_url_way way, char *out,
                           size_t size)
{
    struct spt_url from, url;
    CHECK(!spt_url_resolve(&from, NULL, base, strlen(base), SPT_URL_ABSOLUTE));
    const char *word = spt_url_resolve(&url, &from, reference, strlen(reference), way);
    if (!word) {
        CHECK(url.len == strlen(url.text) && url.len < size);
        CHECK(url.len <= SPT_URL_ROOM(strlen(base), strlen(reference)));
        memcpy(out, url.text, url.len + 1);
        spt_url_release(&url);
    }
    spt_url_release(&from);
    return word;
}

/* An absolute URL leads to the same place, or is as wrong, by each way. */
static void check_absolute(const char *base, const char *text, const struct verdict *v)
{
    static char out[3 * TEXT_MAX + 600];
    static const enum spt_url_way ways[] = {SPT_URL_LINK, SPT_URL_BELOW};
    for (size_t i = 0; i < 2; i++) {
        const char *word = resolve(base, text, ways[i], out, sizeof out);
        CHECK(!word == !v->word);
        CHECK(word ? strcmp(word, v->word) == 0 : strcmp(out, v->url) == 0);
    }
}

/* What stands behind the host of a good URL leads there from any other document of that host. */
static void check_relative(const struct verdict *v)
{
    static char out[3 * TEXT_MAX + 600], base[3 * TEXT_MAX + 700], bare[3 * TEXT_MAX + 600];
    const char *path = strchr(v->url + (v->tls ? 8 : 7), '/');
    int authority = (int)(path - v->url);
    snprintf(base, sizeof base, "%.*s/a/b/../c;d?e#f", authority, v->url);
    if (path[1] != '/') {
        CHECK(!resolve(base, path, SPT_URL_LINK, out, sizeof out) && strcmp(out, v->url) == 0);
        CHECK(!resolve(base, path, SPT_URL_BELOW, out, sizeof out) && strcmp(out, v->url) == 0);
    }
    CHECK(!resolve(base, v->url + (v->tls ? 6 : 5), SPT_URL_LINK, out, sizeof out));
    CHECK(strcmp(out, v->url) == 0);
    /* The empty reference is the base without its fragment. */
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(v->url, "#"), v->url);
    CHECK(!resolve(v->url, "", SPT_URL_BELOW, out, sizeof out) && strcmp(out, bare) == 0);
}

/* A reference leads, below a base, to where a link does, and stays on its host; what it leads to is
 * a good URL in its one form. */
static void check_reference(struct spt_url_checker *checker, const char *base, const char *text)
{
    static char link[3 * TEXT_MAX + 600], below[3 * TEXT_MAX + 600];
    static struct verdict to, from;
    const char *why = resolve(base, text, SPT_URL_LINK, link, sizeof link);
    const char *not = resolve(base, text, SPT_URL_BELOW, below, sizeof below);
    if (why) {
        CHECK(not );
        return;
    }
    request(checker, link, &to);
    CHECK(!to.word && strcmp(to.url, link) == 0);
    check_libcurl(&to);
    if (not ) {
        CHECK(strcmp(not, "no_scheme") == 0);
        return;
    }
    CHECK(strcmp(link, below) == 0);
    if (strncasecmp(text, "http", 4) == 0 &&
        strstr(text, "://") - text == (strncasecmp(text, "https", 5) ? 4 : 5))
        return; /* it is absolute */
    request(checker, base, &from);
    CHECK(strcmp(to.host, from.host) == 0 && to.port == from.port && to.tls == from.tls);
}

/* In any scheme: the parts of a URL are in order, its normal form is its own, from any base, and
 * where a link of the client leads, so does this. */
static void check_any(const char *base, const char *text)
{
    static char link[3 * TEXT_MAX + 600];
    struct spt_url from, url, again;
    CHECK(!spt_url_resolve(&from, NULL, base, strlen(base), SPT_URL_ANY));
    const char *refused = strncmp(base, "http", 4) == 0
                              ? resolve(base, text, SPT_URL_LINK, link, sizeof link)
                              : "scheme";
    const char *word = spt_url_resolve(&url, &from, text, strlen(text), SPT_URL_ANY);
    CHECK(refused || (!word && strcmp(link, url.text) == 0));
    if (!word) {
        CHECK(url.scheme > 0 && url.text[url.scheme] == ':' && url.len == strlen(url.text));
        CHECK(url.len <= SPT_URL_ROOM(strlen(base), strlen(text)));
        CHECK(url.scheme < url.host_start && url.host_start <= url.host_end);
        CHECK(url.host_end <= url.path && url.path <= url.query && url.query <= url.fragment);
        CHECK(url.fragment <= url.len);
        CHECK(!spt_url_resolve(&again, &from, url.text, url.len, SPT_URL_ANY));
        CHECK(strcmp(again.text, url.text) == 0 && again.path == url.path);
        CHECK(again.host_start == url.host_start && again.has_authority == url.has_authority);
        spt_url_release(&again);
        spt_url_release(&url);
    }
    spt_url_release(&from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const bases[] = {"http://a/b/c/d;p?q", "https://example.com:8443/?x#y",
                                        "http://[::1]/a/", "http://a"};
    static const char *const foreign[] = {"foo:/a/b", "urn:x/y", "s3://bucket?q", "ws://u:p@h/a"};
    static struct spt_url_checker warm; /* it remembers what other inputs were */
    static struct verdict cold_says, warm_says, again;
    static char text[TEXT_MAX + 1], prefix[TEXT_MAX + 2];
    struct spt_url_checker cold;
    struct input in = {data, size};
    const char *base = bases[input_byte(&in) % 4];
    if (in.len > TEXT_MAX || memchr(in.data, 0, in.len))
        return 0;
    memcpy(text, in.data, in.len);
    text[in.len] = '\0';
    if (!warm.parser)
        CHECK(spt_url_checker_init(&warm) == SEPTET_OK);
    CHECK(spt_url_checker_init(&cold) == SEPTET_OK);
    size_t n = strncmp(text, "http", 4) == 0 && strstr(text, "://")
                   ? (size_t)(strstr(text, "://") - text) + 3
                   : 0;
    snprintf(prefix, sizeof prefix, "%.*s/", (int)(n + strcspn(text + n, "/?#\\@")), text);
    request(&warm, prefix,
            &warm_says); /* so that its authority, or what may be taken for it, is known */
    request(&warm, text, &warm_says);
    request(&cold, text, &cold_says);
    check_same(&warm_says, &cold_says);
    if (!cold_says.word) {
        check_libcurl(&cold_says);
        check_rules(&cold_says);
        request(&warm, cold_says.url, &again);
        check_same(&again, &cold_says);
        check_relative(&cold_says);
    }
    if (!cold_says.word || (strstr(text, "://") && strcmp(cold_says.word, "no_scheme") != 0))
        check_absolute(base, text, &cold_says);
    check_reference(&cold, base, text);
    check_any(base, text);
    check_any(foreign[strlen(text) % 4], text);
    spt_url_checker_release(&cold);
    return 0;
}
