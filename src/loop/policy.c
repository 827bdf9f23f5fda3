/* Where a session may connect to. Addresses of both families are compared as 16 bytes, those of IPv4 as IPv6 maps
 * them. */
#include "loop/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "septet/septet.h"

enum kind { HOST, SUFFIX, RANGE, PORT, PRIVATE };

struct rule {
    enum kind kind;
    const char *text;    /* as it was given; in the policy's block */
    char *host;          /* HOST, SUFFIX (with its dot); in the block, too */
    uint8_t address[16]; /* RANGE */
    int bits;            /* of them that count */
    int port;            /* 0: any */
};

struct spt_policy {
    size_t n_allow, n_deny;
    bool by_address;     /* something is allowed by its address */
    struct rule rules[]; /* the allowed, then the denied, then their texts */
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

/* Reads an address of either family; returns the bits of it, or 0. */
static int read_address(const char *text, uint8_t to[16])
{
    uint8_t v4[4];
    if (inet_pton(AF_INET, text, v4) == 1) {
        map_v4(to, v4);
        return 32;
    }
    return inet_pton(AF_INET6, text, to) == 1 ? 128 : 0;
}

static bool has_prefix(const uint8_t a[16], const uint8_t prefix[16], int bits)
{
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(a, prefix, (size_t)whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

/* Addresses of IPv6 that stand for one of IPv4: through NAT64, 6to4, and the compatible ones of old. */
static bool inner_v4(const uint8_t a[16], uint8_t to[16])
{
    static const uint8_t nat64[16] = {0x00, 0x64, 0xff, 0x9b}, sixtofour[16] = {0x20, 0x02},
                         zero[16] = {0};
    if (has_prefix(a, nat64, 96) || (has_prefix(a, zero, 96) && a[12] != 0))
        map_v4(to, a + 12);
    else if (has_prefix(a, sixtofour, 16))
        map_v4(to, a + 2);
    else
        return false;
    return true;
}

/* What is nobody's on the open net: private, local, of documentation and tests, of groups, and set aside. */
static const struct {
    const char *address;
    int bits;
} not_public[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 3},    {"::", 127},        {"64:ff9b:1::", 48},
    {"100::", 64},       {"2001::", 23},      {"2001:db8::", 32}, {"2002::", 16},
    {"fc00::", 7},       {"fe80::", 10},      {"fec0::", 10},     {"ff00::", 8},
};

static bool is_private(const uint8_t a[16])
{
    for (size_t i = 0; i < sizeof not_public / sizeof *not_public; i++) {
        uint8_t prefix[16];
        int size = read_address(not_public[i].address, prefix);
        if (has_prefix(a, prefix, 128 - size + not_public[i].bits))
            return true;
    }
    return false;
}

static bool covers(const struct rule *rule, const uint8_t a[16])
{
    return rule->kind == PRIVATE ? is_private(a) : has_prefix(a, rule->address, rule->bits);
}

/* --- reading rules --- */

static bool read_port(const char *text, int *port)
{
    char *end;
    long n = strtol(text, &end, 10);
    *port = (int)n;
    return *text >= '0' && *text <= '9' && !*end && n > 0 && n < 65536;
}

/* Cuts ":port" off `host`: behind a name, an address of IPv4, or one of IPv6 in brackets, which go, too. */
static bool split_port(char **host, int *port)
{
    char *text = *host, *colon = strrchr(text, ':');
    *port = 0;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        bool good = !end[1] || read_port(end + 2, port);
        *end = '\0';
        *host = text + 1;
        return good;
    }
    if (!colon || strchr(text, ':') != colon) /* none, or an address of IPv6 */
        return true;
    *colon = '\0';
    return read_port(colon + 1, port);
}

static bool read_range(struct rule *rule, char *text)
{
    char *slash = strchr(text, '/'), *end;
    if (slash)
        *slash = '\0';
    int size = read_address(text, rule->address);
    long bits = size;
    if (size == 0)
        return false;
    if (slash) {
        bits = strtol(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || bits > size)
            return false;
    }
    rule->kind = RANGE;
    rule->bits = 128 - size + (int)bits;
    return true;
}

static bool is_host(const char *host)
{
    return *host &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
               strlen(host);
}

/* Reads the rule's own copy of its text. */
static bool read_rule(struct rule *rule, char *copy)
{
    if (strcmp(copy, "private") == 0) {
        rule->kind = PRIVATE;
        return true;
    }
    rule->host = copy;
    if (strchr(copy, '/'))
        return read_range(rule, copy);
    if (!split_port(&rule->host, &rule->port))
        return false;
    if (!*rule->host && rule->port) {
        rule->kind = PORT;
        return true;
    }
    if (read_range(rule, rule->host))
        return true;
    bool suffix = rule->host[0] == '*' && rule->host[1] == '.';
    rule->kind = suffix ? SUFFIX : HOST;
    rule->host += suffix;
    return is_host(rule->host + suffix);
}

int spt_policy_new(struct spt_policy **out, const char *const *allow, size_t n_allow,
                   const char *const *deny, size_t n_deny, const char **bad)
{
    size_t n = n_allow + n_deny, bytes = sizeof **out + n * sizeof(struct rule);
    *out = NULL;
    if (n == 0)
        return SEPTET_OK;
    for (size_t i = 0; i < n; i++)
        bytes += 2 * (strlen(i < n_allow ? allow[i] : deny[i - n_allow]) + 1);
    struct spt_policy *p = calloc(1, bytes);
    if (!p)
        return SEPTET_ENOMEM;
    p->n_allow = n_allow;
    p->n_deny = n_deny;
    char *room = (char *)(p->rules + n);
    for (size_t i = 0; i < n; i++) {
        const char *text = i < n_allow ? allow[i] : deny[i - n_allow];
        size_t size = strlen(text) + 1;
        p->rules[i].text = memcpy(room, text, size);
        if (!read_rule(&p->rules[i], memcpy(room + size, text, size))) {
            *bad = text;
            free(p);
            return SEPTET_EINVAL;
        }
        if (i < n_allow && (p->rules[i].kind == RANGE || p->rules[i].kind == PRIVATE))
            p->by_address = true;
        room += 2 * size;
    }
    *out = p;
    return SEPTET_OK;
}

void spt_policy_free(struct spt_policy *policy)
{
    free(policy);
}

/* --- judging --- */

static bool is_named(const struct rule *rule, const char *host, size_t len)
{
    size_t size = strlen(rule->host);
    if (len > 0 && host[len - 1] == '.') /* the name from the root is the same */
        len--;
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

static const struct rule *find_range(const struct rule *rules, size_t n, const uint8_t a[16],
                                     int port)
{
    for (size_t i = 0; i < n; i++) {
        bool range = rules[i].kind == RANGE || rules[i].kind == PRIVATE;
        if (range && (!rules[i].port || rules[i].port == port) && covers(&rules[i], a))
            return &rules[i];
    }
    return NULL;
}

static struct spt_denial no(const char *reason, const struct rule *rule)
{
    return (struct spt_denial){reason, rule ? rule->text : NULL};
}

static struct spt_denial judge(const struct spt_policy *p, const uint8_t a[16], int port,
                               bool named)
{
    uint8_t inner[16];
    const struct rule *denied = find_range(p->rules + p->n_allow, p->n_deny, a, port);
    if (!denied && !is_v4(a) && inner_v4(a, inner))
        denied = find_range(p->rules + p->n_allow, p->n_deny, inner, port);
    if (denied)
        return no("address", denied);
    if (p->n_allow > 0 && !named && !find_range(p->rules, p->n_allow, a, port))
        return no("address", NULL);
    return (struct spt_denial){0};
}

struct spt_denial spt_policy_host(const struct spt_policy *p, const char *host, size_t len,
                                  int port, bool *named)
{
    char literal[INET6_ADDRSTRLEN];
    const struct rule *denied = find_name(p->rules + p->n_allow, p->n_deny, host, len, port);
    *named = p->n_allow == 0 || find_name(p->rules, p->n_allow, host, len, port);
    if (denied)
        return no(denied->kind == PORT ? "port" : "host", denied);
    if (len > 0 && host[0] == '[') {
        host++;
        len -= 2;
    }
    if (len < sizeof literal) {
        uint8_t a[16];
        memcpy(literal, host, len);
        literal[len] = '\0';
        if (read_address(literal, a))
            return judge(p, a, port, *named);
    }
    return *named || p->by_address ? (struct spt_denial){0} : no("host", NULL);
}

struct spt_denial spt_policy_address(const struct spt_policy *p, const struct sockaddr *address,
                                     bool named)
{
    uint8_t a[16];
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        map_v4(a, &v4->sin_addr);
        return judge(p, a, ntohs(v4->sin_port), named);
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        return judge(p, v6->sin6_addr.s6_addr, ntohs(v6->sin6_port), named);
    }
    return (struct spt_denial){0};
}

struct spt_denial spt_policy_text(const struct spt_policy *p, const char *address, int port,
                                  bool named)
{
    uint8_t a[16];
    return read_address(address, a) ? judge(p, a, port, named) : (struct spt_denial){0};
}
