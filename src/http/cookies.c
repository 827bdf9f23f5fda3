/* SPDX-License-Identifier: MIT */
/* Keeps all cookies of a jar in one list, the newest last. Each cookie is one allocation. */
#include "http/cookies.h"

#include <stdlib.h>
#include <string.h>

#include "http/set_cookie.h"
#include "septet/septet.h"

static bool domain_matches(const char *host, struct spt_piece domain)
{
    return spt_cookie_site_is_below(host, domain.at, domain.len);
}

static bool path_matches(const struct spt_cookie_site *site, struct spt_piece path)
{
    return spt_cookie_site_has_path(site, path.at, path.len);
}

/* --- the jar --- */

void spt_jar_init(struct spt_jar *jar)
{
    *jar = (struct spt_jar){0};
    spt_link_init(&jar->cookies);
}

static void drop(struct spt_jar *jar, struct spt_cookie *c)
{
    spt_link_remove(&c->link);
    free(c);
    jar->n--;
}

void spt_jar_release(struct spt_jar *jar)
{
    if (!jar->cookies.next)
        return;
    while (!spt_list_is_empty(&jar->cookies))
        drop(jar, SPT_OF(jar->cookies.next, struct spt_cookie, link));
}

#define each_cookie(jar, l, following)                                                             \
    struct spt_link *l = (jar)->cookies.next, *following = l->next;                                \
    l != &(jar)->cookies;                                                                          \
    l = following, following = l->next

static void drop_expired(struct spt_jar *jar, int64_t now)
{
    for (each_cookie(jar, l, following)) {
        struct spt_cookie *c = SPT_OF(l, struct spt_cookie, link);
        if (c->expires <= now)
            drop(jar, c);
    }
}

static struct spt_cookie *find(const struct spt_jar *jar, const struct spt_set_cookie *w)
{
    for (each_cookie(jar, l, following)) {
        struct spt_cookie *c = SPT_OF(l, struct spt_cookie, link);
        if (spt_set_cookie_same(w->name, c->name, c->name_len) &&
            spt_set_cookie_same(w->domain, c->domain, c->domain_len) &&
            spt_set_cookie_same(w->path, c->path, c->path_len))
            return c;
    }
    return NULL;
}

/* Returns true if the cookie would replace or hide a secure one, which only a secure site may
 * do. */
static bool shadows_a_secure_one(const struct spt_jar *jar, const struct spt_set_cookie *w,
                                 const struct spt_cookie_site *site)
{
    if (site->secure)
        return false;
    struct spt_cookie_site there = {.path = w->path.at, .path_len = w->path.len};
    for (each_cookie(jar, l, following)) {
        const struct spt_cookie *c = SPT_OF(l, struct spt_cookie, link);
        struct spt_piece domain = {c->domain, c->domain_len}, path = {c->path, c->path_len};
        if (c->secure && spt_set_cookie_same(w->name, c->name, c->name_len) &&
            (domain_matches(w->domain.at, domain) || domain_matches(c->domain, w->domain)) &&
            path_matches(&there, path))
            return true;
    }
    return false;
}

/* Drops the least recently used cookie of the domain if that has too many, or of the jar if that is
 * full. */
static void make_room(struct spt_jar *jar, struct spt_piece domain)
{
    struct spt_cookie *oldest = NULL, *oldest_there = NULL;
    unsigned there = 0;
    for (each_cookie(jar, l, following)) {
        struct spt_cookie *c = SPT_OF(l, struct spt_cookie, link);
        if (!oldest || c->used < oldest->used)
            oldest = c;
        if (!spt_set_cookie_same(domain, c->domain, c->domain_len))
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

static const char *put(char **to, struct spt_piece p)
{
    char *text = *to;
    memcpy(text, p.at, p.len);
    text[p.len] = '\0';
    *to += p.len + 1;
    return text;
}

static struct spt_cookie *new_cookie(const struct spt_set_cookie *w)
{
    struct spt_cookie *c =
        malloc(sizeof *c + w->name.len + w->value.len + w->domain.len + w->path.len + 4);
    if (!c)
        return NULL;
    char *to = c->text;
    *c = (struct spt_cookie){
        .expires = w->expires,
        .host_only = w->host_only,
        .secure = w->secure,
        .http_only = w->http_only,
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
static int keep(struct spt_jar *jar, const struct spt_set_cookie *w)
{
    struct spt_cookie *old = find(jar, w), *c = new_cookie(w);
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

/* Stores a cookie, or drops the one that it replaces if it has expired. */
static int replace(struct spt_jar *jar, const struct spt_set_cookie *w, int64_t now)
{
    if (w->expires > now)
        return keep(jar, w);
    struct spt_cookie *old = find(jar, w);
    if (old)
        drop(jar, old);
    return SEPTET_OK;
}

int spt_jar_take(struct spt_jar *jar, const struct spt_cookie_site *site, const char *text,
                 size_t len, int64_t now)
{
    struct spt_set_cookie w;
    if (!spt_set_cookie_read(&w, site, text, len, now))
        return SEPTET_OK;
    drop_expired(jar, now);
    return shadows_a_secure_one(jar, &w, site) ? SEPTET_OK : replace(jar, &w, now);
}

/* --- for scripts --- */

int spt_jar_put(struct spt_jar *jar, const struct spt_set_cookie *w, int64_t now)
{
    drop_expired(jar, now);
    return replace(jar, w, now);
}

const struct spt_cookie *spt_jar_next(const struct spt_jar *jar, const struct spt_cookie *c)
{
    const struct spt_link *l = c ? c->link.next : jar->cookies.next;
    return l == &jar->cookies ? NULL : SPT_OF(l, struct spt_cookie, link);
}

static bool is_named(const char *text, size_t len, const struct spt_piece *wanted)
{
    return !wanted->at || spt_set_cookie_same(*wanted, text, len);
}

unsigned spt_jar_clear(struct spt_jar *jar, struct spt_piece name, struct spt_piece domain,
                       struct spt_piece path)
{
    const unsigned before = jar->n;
    for (each_cookie(jar, l, following)) {
        struct spt_cookie *c = SPT_OF(l, struct spt_cookie, link);
        if (is_named(c->name, c->name_len, &name) && is_named(c->domain, c->domain_len, &domain) &&
            is_named(c->path, c->path_len, &path))
            drop(jar, c);
    }
    return before - jar->n;
}

/* --- sending --- */

bool spt_jar_sends(const struct spt_cookie *c, const struct spt_cookie_site *site, int64_t now)
{
    struct spt_piece domain = {c->domain, c->domain_len}, path = {c->path, c->path_len};
    bool its = c->host_only ? spt_set_cookie_same(domain, site->host, strlen(site->host))
                            : domain_matches(site->host, domain);
    return its && (!c->secure || site->secure) && c->expires > now && path_matches(site, path);
}

/* Orders cookies for qsort: longer paths first, then older cookies. */
static int compare(const void *a, const void *b)
{
    const struct spt_cookie *x = *(struct spt_cookie *const *)a,
                            *y = *(struct spt_cookie *const *)b;
    if (x->path_len != y->path_len)
        return x->path_len > y->path_len ? -1 : 1;
    return x->made < y->made ? -1 : 1;
}

/* Returns true if the value of a Cookie header has a cookie with the name of `c`. */
static bool has_name(const char *line, size_t len, const struct spt_cookie *c)
{
    for (const char *p = line, *end = line + len; p < end;) {
        const char *semicolon = memchr(p, ';', (size_t)(end - p));
        const char *stop = semicolon ? semicolon : end;
        const char *equals = memchr(p, '=', (size_t)(stop - p));
        if (spt_set_cookie_same(spt_set_cookie_trim(p, equals ? equals : stop), c->name,
                                c->name_len))
            return true;
        p = stop + 1;
    }
    return false;
}

static int add(struct spt_buf *out, size_t begin, const struct spt_cookie *c)
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

static size_t collect(struct spt_jar *jar, const struct spt_cookie_site *site, int64_t now,
                      struct spt_cookie **found)
{
    size_t n = 0;
    for (each_cookie(jar, l, following)) {
        struct spt_cookie *c = SPT_OF(l, struct spt_cookie, link);
        if (spt_jar_sends(c, site, now))
            found[n++] = c;
    }
    qsort(found, n, sizeof *found, compare);
    return n;
}

int spt_jar_line(struct spt_jar *jar, const struct spt_cookie_site *site, const char *own,
                 int64_t now, struct spt_buf *out)
{
    static const char name[] = "Cookie: ";
    const size_t begin = sizeof name - 1;
    struct spt_cookie **found = malloc((jar->n + 1) * sizeof *found);
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
