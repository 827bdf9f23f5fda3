/* SPDX-License-Identifier: MIT */
/* Judges hosts and addresses by the rules of a session. Rules and the hosts of URLs are read by the
 * same function (hostname.h). Addresses of both families are compared as 16 bytes; IPv4 addresses
 * are mapped into IPv6. */
#include "http/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/hostname.h"
#include "septet/septet.h"

enum kind { HOST, SUFFIX, RANGE, PORT, PRIVATE };

struct range {
    uint8_t address[16];
    int bits; /* number of bits that count */
};

struct rule {
    enum kind kind;
    const char *text;   /* as given; in the policy's allocation */
    char *host;         /* owned; HOST, SUFFIX (with its dot): normalised, without the root's dot */
    struct range range; /* RANGE */
    int port;           /* 0: any */
};

/* Address ranges that are not globally routable: both of IANA's registries of special-purpose
 * addresses, multicast and site-local addresses. Also the old forms of IPv4, translated
 * (::ffff:0:0:0/96) and compatible (::/104, which holds 0.0.0.0/8). Mapped IPv4 and NAT64
 * (64:ff9b::/96), also in the registries, are judged by the address that they contain. */
static const struct {
    const char *address;
    int bits;
} not_public[] = {
    {"0.0.0.0", 8},       {"10.0.0.0", 8},        {"100.64.0.0", 10},
    {"127.0.0.0", 8},     {"169.254.0.0", 16},    {"172.16.0.0", 12},
    {"192.0.0.0", 24},    {"192.0.2.0", 24},      {"192.31.196.0", 24},
    {"192.52.193.0", 24}, {"192.88.99.0", 24},    {"192.168.0.0", 16},
    {"192.175.48.0", 24}, {"198.18.0.0", 15},     {"198.51.100.0", 24},
    {"203.0.113.0", 24},  {"224.0.0.0", 3},       {"::", 104},
    {"::ffff:0:0:0", 96}, {"64:ff9b:1::", 48},    {"100::", 64},
    {"100:0:0:1::", 64},  {"2001::", 23},         {"2001:db8::", 32},
    {"2002::", 16},       {"2620:4f:8000::", 48}, {"3fff::", 20},
    {"5f00::", 16},       {"fc00::", 7},          {"fe80::", 10},
    {"fec0::", 10},       {"ff00::", 8},
};

enum { NOT_PUBLIC = sizeof not_public / sizeof *not_public };

struct spt_policy {
    size_t n_allow, n_deny;
    bool by_address;                 /* a rule allows by address */
    struct range closed[NOT_PUBLIC]; /* the parsed table of ranges that are not public */
    struct rule rules[];             /* the rules that allow, those that deny, then their texts */
};

/* --- addresses --- */

static void map_v4(uint8_t to[16], const void *v4)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(to, prefix, sizeof prefix);
    memcpy(to + 12, v4, 4);
}

static bool is_v4(const uint8_t a[16])
{
    uint8_t mapped[16];
    map_v4(mapped, a + 12);
    return memcmp(a, mapped, 16) == 0;
}

static bool has_prefix(const uint8_t a[16], const uint8_t prefix[16], int bits)
{
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(a, prefix, (size_t)whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

/* Extracts the IPv4 address from an IPv6 address that stands for one, by NAT64, 6to4, or the old
 * translated and compatible forms. Returns false if there is none. */
static bool inner_v4(const uint8_t a[16], uint8_t to[16])
{
    static const uint8_t nat64[16] = {0x00, 0x64, 0xff, 0x9b}, sixtofour[16] = {0x20, 0x02},
                         translated[16] = {[8] = 0xff, [9] = 0xff}, zero[16] = {0};
    if (has_prefix(a, nat64, 96) || has_prefix(a, translated, 96) ||
        (has_prefix(a, zero, 96) && a[12] != 0))
        map_v4(to, a + 12);
    else if (has_prefix(a, sixtofour, 16))
        map_v4(to, a + 2);
    else
        return false;
    return true;
}

static void read_table(struct spt_policy *p)
{
    for (size_t i = 0; i < NOT_PUBLIC; i++) {
        int size = spt_hostname_read_address(not_public[i].address, p->closed[i].address);
        p->closed[i].bits = 128 - size + not_public[i].bits;
    }
}

static bool is_private(const struct spt_policy *p, const uint8_t a[16])
{
    for (size_t i = 0; i < NOT_PUBLIC; i++)
        if (has_prefix(a, p->closed[i].address, p->closed[i].bits))
            return true;
    return false;
}

static bool covers(const struct spt_policy *p, const struct rule *rule, const uint8_t a[16])
{
    return rule->kind == PRIVATE ? is_private(p, a)
                                 : has_prefix(a, rule->range.address, rule->range.bits);
}

/* --- reading rules --- */

/* Reads ":port". Returns false if it is invalid. */
static bool read_port(struct rule *rule, const char *text)
{
    char *end;
    long n = strtol(text + 1, &end, 10);
    rule->port = (int)n;
    return *text == ':' && text[1] >= '0' && text[1] <= '9' && !*end && n > 0 && n < 65536;
}

/* Reads an address of either family. `bits` is the text after the slash, the number of bits that
 * count, or NULL. Returns false if the range is invalid. */
static bool read_range(struct rule *rule, const char *text, size_t len, const char *bits)
{
    char address[INET6_ADDRSTRLEN], *end;
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    int size = spt_hostname_read_address(address, rule->range.address);
    long n = size;
    if (bits) {
        n = strtol(bits, &end, 10);
        if (*bits < '0' || *bits > '9' || *end || n > size)
            return false;
    }
    rule->kind = RANGE;
    rule->range.bits = 128 - size + (int)n;
    return size > 0;
}

/* Returns true if a host is the word for all addresses that are not public. The word is read like a
 * host, so that no spelling of it passes as a name. */
static bool is_word(const struct spt_hostname *host)
{
    static const char word[] = "private";
    size_t len = spt_hostname_len(host->text, host->len);
    return len == sizeof word - 1 && memcmp(host->text, word, len) == 0;
}

/* Reads "host", "*.suffix", "private" or an address, each with or without ":port". Returns
 * SEPTET_OK, SEPTET_EINVAL or SEPTET_ENOMEM. */
static int read_host(struct rule *rule, const char *text)
{
    struct spt_hostname host;
    bool suffix = text[0] == '*' && text[1] == '.';
    size_t from = suffix ? 2 : 0, len = strlen(text);
    if (text[len - 1] == ':')
        return SEPTET_EINVAL;
    const char *word = spt_hostname_read_authority(&host, &rule->port, text + from, len - from);
    if (word)
        return strcmp(word, "memory") == 0 ? SEPTET_ENOMEM : SEPTET_EINVAL;
    if (host.kind != SPT_HOSTNAME_NAME) {
        rule->kind = RANGE;
        rule->range.bits = 128;
        memcpy(rule->range.address, host.address, sizeof host.address);
        return suffix || memchr(host.text, '%', host.len) ? SEPTET_EINVAL : SEPTET_OK;
    }
    if (!suffix && is_word(&host)) {
        rule->kind = PRIVATE;
        return SEPTET_OK;
    }
    rule->kind = suffix ? SUFFIX : HOST;
    len = spt_hostname_len(host.text, host.len);
    if (suffix && len + 2 > SPT_HOSTNAME_NAME_MAX) /* no name can end in it */
        return SEPTET_EINVAL;
    rule->host = malloc(len + 2);
    if (!rule->host)
        return SEPTET_ENOMEM;
    rule->host[0] = '.';
    memcpy(rule->host + suffix, host.text, len);
    rule->host[len + suffix] = '\0';
    return SEPTET_OK;
}

/* Reads a rule of any kind. Returns like read_host(). */
static int read_rule(struct rule *rule)
{
    const char *text = rule->text, *slash = strchr(text, '/'), *colon = strchr(text, ':');
    size_t len = strlen(text);
    bool good;
    if (len == 0)
        return SEPTET_EINVAL;
    if (slash) {
        good = read_range(rule, text, (size_t)(slash - text), slash + 1);
    } else if (colon == text && len > 1 && text[1] != ':') {
        rule->kind = PORT;
        good = read_port(rule, text);
    } else if (colon && text[0] != '[' && strchr(colon + 1, ':')) {
        good = read_range(rule, text, len, NULL); /* IPv6 without brackets */
    } else {
        return read_host(rule, text);
    }
    return good ? SEPTET_OK : SEPTET_EINVAL;
}

int spt_policy_new(struct spt_policy **out, const char *const *allow, size_t n_allow,
                   const char *const *deny, size_t n_deny, const char **bad)
{
    size_t n = n_allow + n_deny, bytes = sizeof **out + n * sizeof(struct rule);
    *out = NULL;
    if (n == 0)
        return SEPTET_OK;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(i < n_allow ? allow[i] : deny[i - n_allow]) + 1;
    struct spt_policy *p = calloc(1, bytes);
    if (!p)
        return SEPTET_ENOMEM;
    p->n_allow = n_allow;
    p->n_deny = n_deny;
    read_table(p);
    char *room = (char *)(p->rules + n);
    for (size_t i = 0; i < n; i++) {
        const char *text = i < n_allow ? allow[i] : deny[i - n_allow];
        size_t size = strlen(text) + 1;
        p->rules[i].text = memcpy(room, text, size);
        room += size;
        int rc = read_rule(&p->rules[i]);
        if (rc != SEPTET_OK) {
            *bad = rc == SEPTET_EINVAL ? text : NULL;
            spt_policy_free(p);
            return rc;
        }
        if (i < n_allow && (p->rules[i].kind == RANGE || p->rules[i].kind == PRIVATE))
            p->by_address = true;
    }
    *out = p;
    return SEPTET_OK;
}

void spt_policy_free(struct spt_policy *policy)
{
    if (!policy)
        return;
    for (size_t i = 0; i < policy->n_allow + policy->n_deny; i++)
        free(policy->rules[i].host);
    free(policy);
}

/* --- judging --- */

static bool is_named(const struct rule *rule, const char *host, size_t len)
{
    size_t size = strlen(rule->host);
    len = spt_hostname_len(host, len); /* the root's dot makes no difference */
    if (rule->kind == SUFFIX)
        return len > size && strncasecmp(host + len - size, rule->host, size) == 0;
    return len == size && strncasecmp(host, rule->host, size) == 0;
}

static bool matches_name(const struct rule *rule, const char *host, size_t len, int port)
{
    if (rule->port && rule->port != port)
        return false;
    return rule->kind == PORT ||
           ((rule->kind == HOST || rule->kind == SUFFIX) && is_named(rule, host, len));
}

static const struct rule *find_name(const struct rule *rules, size_t n, const char *host,
                                    size_t len, int port)
{
    for (size_t i = 0; i < n; i++)
        if (matches_name(&rules[i], host, len, port))
            return &rules[i];
    return NULL;
}

static const struct rule *find_range(const struct spt_policy *p, bool allow, const uint8_t a[16],
                                     int port)
{
    const struct rule *rules = allow ? p->rules : p->rules + p->n_allow;
    size_t n = allow ? p->n_allow : p->n_deny;
    for (size_t i = 0; i < n; i++) {
        bool range = rules[i].kind == RANGE || rules[i].kind == PRIVATE;
        if (range && (!rules[i].port || rules[i].port == port) && covers(p, &rules[i], a))
            return &rules[i];
    }
    return NULL;
}

static struct spt_denial no(const char *reason, const struct rule *rule)
{
    return (struct spt_denial){reason, rule ? rule->text : NULL};
}

static struct spt_denial evaluate(const struct spt_policy *p, const uint8_t a[16], int port,
                                  bool named)
{
    uint8_t inner[16];
    const struct rule *denied = find_range(p, false, a, port);
    if (!denied && !is_v4(a) && inner_v4(a, inner))
        denied = find_range(p, false, inner, port);
    if (denied)
        return no("address", denied);
    if (p->n_allow > 0 && !named && !find_range(p, true, a, port))
        return no("address", NULL);
    return (struct spt_denial){0};
}

/* Reads the host of a URL as an address; IPv6 is in brackets, and may have a zone. Returns false if
 * it is not an address. */
static bool read_literal(const char *host, size_t len, uint8_t to[16])
{
    char literal[INET6_ADDRSTRLEN];
    if (len > 0 && host[0] == '[') {
        host++;
        len -= 2;
        const char *zone = memchr(host, '%', len);
        len = zone ? (size_t)(zone - host) : len;
    }
    if (len >= sizeof literal)
        return false;
    memcpy(literal, host, len);
    literal[len] = '\0';
    return spt_hostname_read_address(literal, to) > 0;
}

struct spt_denial spt_policy_host(const struct spt_policy *p, const char *host, size_t len,
                                  int port, bool *named)
{
    uint8_t a[16];
    const struct rule *denied = find_name(p->rules + p->n_allow, p->n_deny, host, len, port);
    *named = p->n_allow == 0 || find_name(p->rules, p->n_allow, host, len, port);
    if (denied)
        return no(denied->kind == PORT ? "port" : "host", denied);
    if (read_literal(host, len, a))
        return evaluate(p, a, port, *named);
    return *named || p->by_address ? (struct spt_denial){0} : no("host", NULL);
}

struct spt_denial spt_policy_address(const struct spt_policy *p, const struct sockaddr *address,
                                     bool named)
{
    uint8_t a[16];
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        map_v4(a, &v4->sin_addr);
        return evaluate(p, a, ntohs(v4->sin_port), named);
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        return evaluate(p, v6->sin6_addr.s6_addr, ntohs(v6->sin6_port), named);
    }
    return (struct spt_denial){0};
}

struct spt_denial spt_policy_text(const struct spt_policy *p, const char *address, int port,
                                  bool named)
{
    uint8_t a[16];
    return spt_hostname_read_address(address, a) ? evaluate(p, a, port, named)
                                                 : (struct spt_denial){0};
}
