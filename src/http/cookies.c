/* Keeps all cookies of a jar in one list, the newest last. Each cookie is one allocation. */
#include "http/cookies.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/cookie_date.h"
#include "http/host.h"
#include "septet/septet.h"

struct cookie {
    struct spt_link link;
    uint64_t made, used; /* serial numbers of the creation and of the last use */
    int64_t expires;     /* Unix time in seconds; INT64_MAX: with the session */
    const char *name, *value, *domain, *path;
    size_t name_len, value_len, domain_len, path_len;
    bool host_only, secure;
    char text[];
};

struct piece {
    const char *at;
    size_t len;
};

/* The fields of a Set-Cookie header. */
struct wanted {
    struct piece name, value, domain, path;
    int64_t expires, max_age; /* INT64_MIN: not given */
    bool has_max_age, secure, host_only;
};

/* --- texts --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct piece trimmed(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    while (at < end && is_blank(end[-1]))
        end--;
    return (struct piece){at, (size_t)(end - at)};
}

static bool is(struct piece p, const char *word)
{
    return p.len == strlen(word) && strncasecmp(p.at, word, p.len) == 0;
}

static bool begins(struct piece p, const char *word)
{
    return p.len >= strlen(word) && strncasecmp(p.at, word, strlen(word)) == 0;
}

static bool same(struct piece a, const char *b, size_t len)
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

/* --- sites --- */

static bool domain_matches(const char *host, struct piece domain)
{
    return spt_site_is_below(host, domain.at, domain.len);
}

/* Returns true if `path` covers the site's path (RFC 6265, 5.1.4). */
static bool path_matches(const struct spt_site *site, struct piece path)
{
    if (site->path_len < path.len || memcmp(site->path, path.at, path.len) != 0)
        return false;
    return site->path_len == path.len || path.at[path.len - 1] == '/' ||
           site->path[path.len] == '/';
}

static struct piece default_path(const struct spt_site *site)
{
    size_t n = site->path_len;
    while (n > 1 && site->path[n - 1] != '/')
        n--;
    return (struct piece){site->path, n > 1 ? n - 1 : 1};
}

/* --- reading --- */

static int64_t read_max_age(struct piece p)
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
static void read_attribute(struct wanted *w, struct piece name, struct piece value)
{
    if (is(name, "secure")) {
        w->secure = true;
    } else if (is(name, "domain")) {
        if (value.len > 0 && value.at[0] == '.')
            value = (struct piece){value.at + 1, value.len - 1};
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
static bool read_cookie(struct wanted *w, const char *text, size_t len)
{
    const char *end = text + len, *semicolon = memchr(text, ';', len);
    const char *stop = semicolon ? semicolon : end;
    const char *equals = memchr(text, '=', (size_t)(stop - text));
    *w = (struct wanted){.expires = INT64_MIN, .max_age = INT64_MIN};
    if (!equals || has_control_character(text, len))
        return false;
    w->name = trimmed(text, equals);
    w->value = trimmed(equals + 1, stop);
    while (stop < end) {
        const char *from = stop + 1;
        semicolon = memchr(from, ';', (size_t)(end - from));
        stop = semicolon ? semicolon : end;
        equals = memchr(from, '=', (size_t)(stop - from));
        read_attribute(w, trimmed(from, equals ? equals : stop),
                       equals ? trimmed(equals + 1, stop) : (struct piece){stop, 0});
    }
    return w->name.len > 0 && w->name.len + w->value.len <= SPT_COOKIE_SIZE_MAX;
}

/* Reads a domain like the host of a URL, but accepts neither percent-encoding nor a trailing dot.
 * Returns false if it is invalid. */
static bool read_domain(struct piece domain, char room[256])
{
    struct spt_host host;
    if (memchr(domain.at, '%', domain.len) || domain.at[domain.len - 1] == '.' ||
        spt_host_read(&host, domain.at, domain.len))
        return false;
    bool bracketed = host.kind == SPT_HOST_V6; /* a site has none */
    size_t len = host.len - 2 * bracketed;
    memcpy(room, host.text + bracketed, len);
    room[len] = '\0';
    return true;
}

/* Determines the cookie's domain and writes it to `room`. Returns false if the site may not set a
 * cookie for it. */
static bool settle_domain(struct wanted *w, const struct spt_site *site, char room[256])
{
    w->host_only = w->domain.len == 0;
    if (w->host_only) {
        strcpy(room, site->host);
    } else {
        if (!read_domain(w->domain, room) ||
            !domain_matches(site->host, (struct piece){room, strlen(room)}))
            return false;
        if (!spt_site_is_address(room) && spt_site_is_public_suffix(room)) {
            w->host_only = true;
            if (strcmp(room, site->host) != 0)
                return false;
        }
    }
    w->domain = (struct piece){room, strlen(room)};
    return true;
}

/* Returns true if the cookie keeps what the prefix of its name promises, and a Secure one comes
 * over a secure connection. */
static bool keeps_its_word(const struct wanted *w, const struct spt_site *site, bool has_domain)
{
    if (w->secure && !site->secure)
        return false;
    if (begins(w->name, "__secure-"))
        return w->secure;
    if (begins(w->name, "__host-"))
        return w->secure && !has_domain && same(w->path, "/", 1);
    return true;
}

/* --- the jar --- */

void spt_jar_init(struct spt_jar *jar)
{
    *jar = (struct spt_jar){0};
    spt_link_init(&jar->cookies);
}

static void drop(struct spt_jar *jar, struct cookie *c)
{
    spt_link_remove(&c->link);
    free(c);
    jar->n--;
}

void spt_jar_release(struct spt_jar *jar)
{
    if (!jar->cookies.next)
        return;
    while (!spt_link_alone(&jar->cookies))
        drop(jar, SPT_OF(jar->cookies.next, struct cookie, link));
}

#define each_cookie(jar, l, following)                                                             \
    struct spt_link *l = (jar)->cookies.next, *following = l->next;                                \
    l != &(jar)->cookies;                                                                          \
    l = following, following = l->next

static void drop_expired(struct spt_jar *jar, int64_t now)
{
    for (each_cookie(jar, l, following)) {
        struct cookie *c = SPT_OF(l, struct cookie, link);
        if (c->expires <= now)
            drop(jar, c);
    }
}

static struct cookie *find(const struct spt_jar *jar, const struct wanted *w)
{
    for (each_cookie(jar, l, following)) {
        struct cookie *c = SPT_OF(l, struct cookie, link);
        if (same(w->name, c->name, c->name_len) && same(w->domain, c->domain, c->domain_len) &&
            same(w->path, c->path, c->path_len))
            return c;
    }
    return NULL;
}

/* Returns true if the cookie would replace or hide a secure one, which only a secure site may
 * do. */
static bool shadows_a_secure_one(const struct spt_jar *jar, const struct wanted *w,
                                 const struct spt_site *site)
{
    if (site->secure)
        return false;
    struct spt_site there = {.path = w->path.at, .path_len = w->path.len};
    for (each_cookie(jar, l, following)) {
        const struct cookie *c = SPT_OF(l, struct cookie, link);
        struct piece domain = {c->domain, c->domain_len}, path = {c->path, c->path_len};
        if (c->secure && same(w->name, c->name, c->name_len) &&
            (domain_matches(w->domain.at, domain) || domain_matches(c->domain, w->domain)) &&
            path_matches(&there, path))
            return true;
    }
    return false;
}

/* Drops the least recently used cookie of the domain if that has too many, or of the jar if that is
 * full. */
static void make_room(struct spt_jar *jar, struct piece domain)
{
    struct cookie *oldest = NULL, *oldest_there = NULL;
    unsigned there = 0;
    for (each_cookie(jar, l, following)) {
        struct cookie *c = SPT_OF(l, struct cookie, link);
        if (!oldest || c->used < oldest->used)
            oldest = c;
        if (!same(domain, c->domain, c->domain_len))
            continue;
        there++;
        if (!oldest_there || c->used < oldest_there->used)
            oldest_there = c;
    }
    if (there >= SPT_COOKIES_DOMAIN_MAX)
        drop(jar, oldest_there);
    else if (jar->n >= SPT_COOKIES_MAX)
        drop(jar, oldest);
}

static const char *put(char **to, struct piece p)
{
    char *text = *to;
    memcpy(text, p.at, p.len);
    text[p.len] = '\0';
    *to += p.len + 1;
    return text;
}

static struct cookie *new_cookie(const struct wanted *w)
{
    struct cookie *c =
        malloc(sizeof *c + w->name.len + w->value.len + w->domain.len + w->path.len + 4);
    if (!c)
        return NULL;
    char *to = c->text;
    *c = (struct cookie){
        .expires = w->expires,
        .host_only = w->host_only,
        .secure = w->secure,
        .name_len = w->name.len,
        .value_len = w->value.len,
        .domain_len = w->domain.len,
        .path_len = w->path.len,
    };
    c->name = put(&to, w->name);
    c->value = put(&to, w->value);
    c->domain = put(&to, w->domain);
    c->path = put(&to, w->path);
    return c;
}

/* Stores a cookie. If it replaces another, it takes over that one's age. */
static int keep(struct spt_jar *jar, const struct wanted *w)
{
    struct cookie *old = find(jar, w), *c = new_cookie(w);
    if (!c)
        return SEPTET_ENOMEM;
    c->made = c->used = ++jar->serial;
    if (old) {
        c->made = old->made;
        drop(jar, old);
    } else {
        make_room(jar, w->domain);
    }
    spt_link_init(&c->link);
    spt_list_push(&jar->cookies, &c->link);
    jar->n++;
    return SEPTET_OK;
}

int spt_jar_take(struct spt_jar *jar, const struct spt_site *site, const char *text, size_t len,
                 int64_t now)
{
    struct wanted w;
    char domain[256];
    if (!read_cookie(&w, text, len))
        return SEPTET_OK;
    bool has_domain = w.domain.len > 0;
    if (w.path.len == 0 || w.path.at[0] != '/')
        w.path = default_path(site);
    if (!settle_domain(&w, site, domain) || !keeps_its_word(&w, site, has_domain))
        return SEPTET_OK;
    drop_expired(jar, now);
    if (shadows_a_secure_one(jar, &w, site))
        return SEPTET_OK;
    if (w.max_age != INT64_MIN)
        w.expires = w.max_age > 0 ? now + w.max_age : now;
    else if (w.expires == INT64_MIN)
        w.expires = INT64_MAX;
    if (w.expires > now)
        return keep(jar, &w);
    struct cookie *old = find(jar, &w);
    if (old)
        drop(jar, old);
    return SEPTET_OK;
}

/* --- sending --- */

static bool goes_to(const struct cookie *c, const struct spt_site *site, int64_t now)
{
    struct piece domain = {c->domain, c->domain_len}, path = {c->path, c->path_len};
    bool its = c->host_only ? same(domain, site->host, strlen(site->host))
                            : domain_matches(site->host, domain);
    return its && (!c->secure || site->secure) && c->expires > now && path_matches(site, path);
}

/* Orders cookies for qsort: longer paths first, then older cookies. */
static int compare(const void *a, const void *b)
{
    const struct cookie *x = *(struct cookie *const *)a, *y = *(struct cookie *const *)b;
    if (x->path_len != y->path_len)
        return x->path_len > y->path_len ? -1 : 1;
    return x->made < y->made ? -1 : 1;
}

/* Returns true if the value of a Cookie header has a cookie with the name of `c`. */
static bool has_name(const char *line, size_t len, const struct cookie *c)
{
    for (const char *p = line, *end = line + len; p < end;) {
        const char *semicolon = memchr(p, ';', (size_t)(end - p));
        const char *stop = semicolon ? semicolon : end;
        const char *equals = memchr(p, '=', (size_t)(stop - p));
        if (same(trimmed(p, equals ? equals : stop), c->name, c->name_len))
            return true;
        p = stop + 1;
    }
    return false;
}

static int add(struct spt_buf *out, size_t begin, const struct cookie *c)
{
    size_t len = c->name_len + c->value_len + 3;
    if (out->len + len > SPT_COOKIE_LINE_MAX)
        return SEPTET_OK;
    int rc = spt_buf_reserve(out, len);
    if (rc != SEPTET_OK)
        return rc;
    if (out->len > begin)
        spt_buf_append(out, "; ", 2);
    spt_buf_append(out, c->name, c->name_len);
    spt_buf_append(out, "=", 1);
    return spt_buf_append(out, c->value, c->value_len);
}

static size_t collect(struct spt_jar *jar, const struct spt_site *site, int64_t now,
                      struct cookie **found)
{
    size_t n = 0;
    for (each_cookie(jar, l, following)) {
        struct cookie *c = SPT_OF(l, struct cookie, link);
        if (goes_to(c, site, now))
            found[n++] = c;
    }
    qsort(found, n, sizeof *found, compare);
    return n;
}

int spt_jar_line(struct spt_jar *jar, const struct spt_site *site, const char *own, int64_t now,
                 struct spt_buf *out)
{
    static const char name[] = "Cookie: ";
    const size_t begin = sizeof name - 1;
    struct cookie **found = malloc((jar->n + 1) * sizeof *found);
    if (!found)
        return SEPTET_ENOMEM;
    size_t n = collect(jar, site, now, found);
    int rc = n > 0 || own ? spt_buf_append(out, name, begin) : SEPTET_OK;
    if (rc == SEPTET_OK && own)
        rc = spt_buf_append(out, own, strlen(own));
    for (size_t i = 0; i < n && i < SPT_COOKIES_SENT_MAX && rc == SEPTET_OK; i++) {
        found[i]->used = ++jar->serial;
        if (!has_name(out->data + begin, out->len - begin, found[i]))
            rc = add(out, begin, found[i]);
    }
    free(found);
    if (rc == SEPTET_OK && out->len > 0)
        rc = spt_buf_append(out, "", 1);
    return rc == SEPTET_OK ? rc : SEPTET_ENOMEM;
}
