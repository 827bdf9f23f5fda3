/* SPDX-License-Identifier: MIT */
/* Parses the challenges of a response, and answers one with OpenSSL's hashes. */
#include "http/digest.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "http/head.h"
#include "http/headers.h"
#include "septet/septet.h"

enum { HEX = 2 * EVP_MAX_MD_SIZE + 1, CNONCE = 16 }; /* bytes */

static const struct {
    const char *name, *md;
    bool session;
} algorithms[] = {
    {"MD5", "MD5", false},
    {"MD5-sess", "MD5", true},
    {"SHA-256", "SHA256", false},
    {"SHA-256-sess", "SHA256", true},
    {"SHA-512-256", "SHA512-256", false},
    {"SHA-512-256-sess", "SHA512-256", true},
};

/* --- reading challenges --- */

/* A parameter of a challenge, or the name of a scheme, which has no value. */
struct item {
    const char *name, *value; /* the value as it was written, without its quotes */
    size_t name_len, value_len;
};

static bool is_token_char(char c)
{
    return spt_headers_is_token(&c, 1);
}

static const char *skip(const char *p, const char *end, const char *chars)
{
    while (p < end && *p && strchr(chars, *p))
        p++;
    return p;
}

static const char *skip_token(const char *p, const char *end)
{
    while (p < end && is_token_char(*p))
        p++;
    return p;
}

/* Returns the position of the quote that ends a string, or `end`. */
static const char *closing_quote(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return p;
}

/* Reads an item, skipping anything before it that is not a token. Returns the end of the item, or
 * NULL at the end of the text. */
static const char *next_item(const char *p, const char *end, struct item *item)
{
    p = skip(p, end, " \t,");
    while (p < end && !is_token_char(*p))
        p = skip(*p == '"' ? closing_quote(p + 1, end) + 1 : p + 1, end, " \t,");
    if (p >= end)
        return NULL;
    const char *after = skip_token(p, end), *equals = skip(after, end, " \t");
    *item = (struct item){.name = p, .name_len = (size_t)(after - p)};
    if (equals >= end || *equals != '=')
        return after;
    const char *value = skip(equals + 1, end, " \t");
    if (value < end && *value == '"') {
        item->value = value + 1;
        after = closing_quote(value + 1, end);
        item->value_len = (size_t)(after - item->value);
        return after < end ? after + 1 : end;
    }
    item->value = value;
    while (value < end && !strchr(" \t,", *value))
        value++;
    item->value_len = (size_t)(value - item->value);
    return value;
}

static bool is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* Returns a copy without the backslashes of a quoted string, or NULL if out of memory. */
static char *unquoted(const struct item *item)
{
    char *copy = malloc(item->value_len + 1), *to = copy;
    const char *p = item->value, *end = p + item->value_len;
    if (!copy)
        return NULL;
    while (p < end) {
        p += *p == '\\' && p + 1 < end;
        *to++ = *p++;
    }
    *to = '\0';
    return copy;
}

/* The part of a challenge that was read so far. */
struct reading {
    struct spt_challenge *made;
    bool digest; /* the scheme is Digest */
    bool known;  /* the algorithm is known */
    bool has_qop, auth, auth_int;
    bool out_of_memory;
};

static void set_text(struct reading *r, char **to, const struct item *item)
{
    if (*to) /* the first one counts */
        return;
    *to = unquoted(item);
    r->out_of_memory |= !*to;
}

static void set_algorithm(struct reading *r, const struct item *item)
{
    r->known = false;
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (!is(item->value, item->value_len, algorithms[i].name))
            continue;
        r->known = true;
        r->made->algorithm = algorithms[i].name;
        r->made->md = algorithms[i].md;
        r->made->session = algorithms[i].session;
    }
}

static void set_qop(struct reading *r, const struct item *item)
{
    const char *p = item->value, *word;
    size_t len;
    r->has_qop = true;
    while ((word = spt_head_list_next(&p, item->value + item->value_len, &len))) {
        r->auth |= is(word, len, "auth");
        r->auth_int |= is(word, len, "auth-int");
    }
}

static void take_parameter(struct reading *r, const struct item *item)
{
    struct spt_challenge *c = r->made;
    if (is(item->name, item->name_len, "realm"))
        set_text(r, &c->realm, item);
    else if (is(item->name, item->name_len, "nonce"))
        set_text(r, &c->nonce, item);
    else if (is(item->name, item->name_len, "opaque"))
        set_text(r, &c->opaque, item);
    else if (is(item->name, item->name_len, "algorithm"))
        set_algorithm(r, item);
    else if (is(item->name, item->name_len, "qop"))
        set_qop(r, item);
    else if (is(item->name, item->name_len, "stale"))
        c->stale = is(item->value, item->value_len, "true");
    else if (is(item->name, item->name_len, "userhash"))
        c->userhash = is(item->value, item->value_len, "true");
}

/* Ends a challenge and selects its qop. Returns true if it is for Digest and can be answered. */
static bool is_answerable(struct reading *r, bool has_body)
{
    struct spt_challenge *c = r->made;
    if (!r->digest || !r->known || !c->realm || !c->nonce || r->out_of_memory)
        return false;
    c->qop = r->auth ? "auth" : r->auth_int && has_body ? "auth-int" : NULL;
    return c->qop || !r->has_qop;
}

static void begin_challenge(struct reading *r, const struct item *scheme)
{
    spt_digest_release_challenge(r->made);
    *r = (struct reading){.made = r->made, .known = true, .out_of_memory = r->out_of_memory};
    r->made->md = "MD5";
    r->digest = is(scheme->name, scheme->name_len, "digest");
}

int spt_digest_read_challenge(struct spt_challenge *c, const struct spt_buf *head, bool has_body)
{
    struct reading r = {.made = c};
    size_t at = 0, len;
    const char *line;
    *c = (struct spt_challenge){0};
    while ((line = spt_head_next(head, &at, "www-authenticate:", &len))) {
        struct item item;
        for (const char *p = line; (p = next_item(p, line + len, &item));) {
            if (item.value) {
                take_parameter(&r, &item);
                continue;
            }
            if (is_answerable(&r, has_body))
                return SEPTET_OK;
            begin_challenge(&r, &item);
        }
    }
    if (is_answerable(&r, has_body))
        return SEPTET_OK;
    return r.out_of_memory ? SEPTET_ENOMEM : SEPTET_EINVAL;
}

void spt_digest_release_challenge(struct spt_challenge *c)
{
    free(c->realm);
    free(c->nonce);
    free(c->opaque);
    *c = (struct spt_challenge){0};
}

/* --- the answer --- */

/* Writes H(a:b:...) in hexadecimal; a NULL ends the parts. Returns false if out of memory. */
static bool hash(const struct spt_challenge *c, char *hex, const char *const *parts)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD *type = EVP_MD_fetch(NULL, c->md, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = type && ctx && EVP_DigestInit_ex(ctx, type, NULL);
    for (size_t i = 0; ok && parts[i]; i++)
        ok = (i == 0 || EVP_DigestUpdate(ctx, ":", 1)) &&
             EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]));
    ok = ok && EVP_DigestFinal_ex(ctx, md, &len);
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(type);
    if (ok)
        spt_hex(hex, md, len);
    hex[2 * len] = '\0';
    return ok;
}

static bool hash_bytes(const struct spt_challenge *c, char *hex, const char *bytes, size_t n)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    size_t len = 0;
    if (!EVP_Q_digest(NULL, c->md, NULL, bytes ? bytes : "", n, md, &len))
        return false;
    spt_hex(hex, md, len);
    hex[2 * len] = '\0';
    return true;
}

/* Writes H(A1), which stands for the password. Returns false if out of memory. */
static bool hash_secret(const struct spt_challenge *c, const struct spt_proof *proof,
                        const char *cnonce, char *hex)
{
    if (!hash(c, hex, (const char *[]){proof->user, c->realm, proof->password, NULL}))
        return false;
    char inner[HEX];
    strcpy(inner, hex);
    return !c->session || hash(c, hex, (const char *[]){inner, c->nonce, cnonce, NULL});
}

/* Writes H(A2), which stands for the request. Returns false if out of memory. */
static bool hash_request(const struct spt_challenge *c, const struct spt_proof *proof, char *hex)
{
    char body[HEX];
    bool whole = c->qop && strcmp(c->qop, "auth-int") == 0;
    if (whole && !hash_bytes(c, body, proof->body, proof->body_len))
        return false;
    return hash(c, hex, (const char *[]){proof->method, proof->target, whole ? body : NULL, NULL});
}

static bool prove(const struct spt_challenge *c, const struct spt_proof *proof, const char *cnonce,
                  const char *count, char *response)
{
    char secret[HEX], request[HEX];
    if (!hash_secret(c, proof, cnonce, secret) || !hash_request(c, proof, request))
        return false;
    if (!c->qop)
        return hash(c, response, (const char *[]){secret, c->nonce, request, NULL});
    return hash(c, response,
                (const char *[]){secret, c->nonce, count, cnonce, c->qop, request, NULL});
}

/* Continues the FNV-1a hash `h` with a text and its NUL. Returns the new hash. */
static uint64_t add_to_hash(uint64_t h, const char *text)
{
    do
        h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    while (*text++);
    return h;
}

/* Counts a use of the challenge's nonce. Returns the number of its uses, including this one. */
static uint32_t count_use(struct spt_nonces *nonces, const struct spt_challenge *c)
{
    uint64_t h = add_to_hash(add_to_hash(UINT64_C(14695981039346656037), c->realm), c->nonce);
    for (size_t i = 0; i < SPT_NONCES; i++)
        if (nonces->known[i].uses > 0 && nonces->known[i].hash == h)
            return ++nonces->known[i].uses;
    unsigned at = nonces->next;
    nonces->next = (at + 1) % SPT_NONCES;
    nonces->known[at].hash = h;
    return nonces->known[at].uses = 1;
}

/* Appends texts; a NULL ends them. After an error, which stays in `rc`, nothing is appended. */
static void add(struct spt_buf *out, int *rc, const char *const *parts)
{
    for (; *parts && *rc == SEPTET_OK; parts++)
        *rc = spt_buf_append(out, *parts, strlen(*parts));
}

/* Appends a parameter as a quoted string. */
static void add_quoted(struct spt_buf *out, int *rc, const char *name, const char *value)
{
    add(out, rc, (const char *[]){name, "=\"", NULL});
    for (; *value && *rc == SEPTET_OK; value++) {
        if (*value == '"' || *value == '\\')
            *rc = spt_buf_append(out, "\\", 1);
        if (*rc == SEPTET_OK)
            *rc = spt_buf_append(out, value, 1);
    }
    add(out, rc, (const char *[]){"\"", NULL});
}

static bool make_cnonce(char *hex)
{
    unsigned char bytes[CNONCE];
    if (RAND_bytes(bytes, CNONCE) != 1)
        return false;
    spt_hex(hex, bytes, CNONCE);
    hex[2 * CNONCE] = '\0';
    return true;
}

char *spt_digest_line(const struct spt_challenge *c, const struct spt_proof *proof,
                      struct spt_nonces *nonces)
{
    char cnonce[HEX], response[HEX], user[HEX], count[16];
    struct spt_buf out;
    int rc = SEPTET_OK;
    if (!make_cnonce(cnonce))
        return NULL;
    snprintf(count, sizeof count, "%08x", (unsigned)count_use(nonces, c));
    if (!prove(c, proof, cnonce, count, response))
        return NULL;
    if (c->userhash && !hash(c, user, (const char *[]){proof->user, c->realm, NULL}))
        return NULL;
    spt_buf_init(&out, SIZE_MAX / 2);
    add_quoted(&out, &rc, "Authorization: Digest username", c->userhash ? user : proof->user);
    add_quoted(&out, &rc, ", realm", c->realm);
    add_quoted(&out, &rc, ", nonce", c->nonce);
    add_quoted(&out, &rc, ", uri", proof->target);
    if (c->qop || c->session)
        add_quoted(&out, &rc, ", cnonce", cnonce);
    if (c->qop)
        add(&out, &rc, (const char *[]){", nc=", count, ", qop=", c->qop, NULL});
    add_quoted(&out, &rc, ", response", response);
    if (c->opaque)
        add_quoted(&out, &rc, ", opaque", c->opaque);
    if (c->algorithm)
        add(&out, &rc, (const char *[]){", algorithm=", c->algorithm, NULL});
    if (c->userhash)
        add(&out, &rc, (const char *[]){", userhash=true", NULL});
    if (rc == SEPTET_OK)
        rc = spt_buf_append(&out, "", 1);
    if (rc != SEPTET_OK)
        spt_buf_release(&out);
    return out.data;
}
