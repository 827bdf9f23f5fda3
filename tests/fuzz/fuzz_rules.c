/* SPDX-License-Identifier: MIT */
/* Rules: one that is accepted denies at least one URL, in every spelling of it, and allows the same
 * one; and ranges hold for the addresses for which a comparison bit by bit does. The input is an
 * address's 16 bytes, and a rule. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "http/policy.h"
#include "http/url.h"
#include "septet/septet.h"

enum { RULE_MAX = 512 };

static struct spt_policy *make(const char *rule, bool allow)
{
    struct spt_policy *policy = NULL;
    const char *bad = NULL;
    int rc = spt_policy_new(&policy, &rule, allow, &rule, !allow, &bad);
    CHECK(rc == SEPTET_OK || (rc == SEPTET_EINVAL && bad == rule && !policy));
    return policy;
}

/* --- a URL that the rule must hold for --- */

/* Returns true if a URL with this host is one with the host "private": in a rule that is the word
 * for addresses. */
static bool is_private(const char *host)
{
    struct spt_hostname read;
    return !spt_hostname_read(&read, host, strlen(host)) && strncmp(read.text, "private", 7) == 0 &&
           spt_hostname_len(read.text, read.len) == 7;
}

/* Writes a host that a rule's text is for, as a URL has it, and returns its port. The rule is not
 * read the way that the library does it. */
static int write_witness(const char *rule, char *host, size_t size)
{
    const char *colon = strrchr(rule, ':'), *slash = strchr(rule, '/');
    bool many = colon && strchr(rule, ':') != colon;
    bool has_port = colon && (!many || rule[0] == '[') && !strchr(colon, ']');
    int port = has_port ? atoi(colon + 1) : 0;
    int len = (int)(slash ? slash - rule : has_port ? colon - rule : (long)strlen(rule));
    if (len == 0)
        snprintf(host, size, "any.test");
    else if (rule[0] == '*')
        snprintf(host, size, "x%.*s", len - 1, rule + 1);
    else if (many && rule[0] != '[')
        snprintf(host, size, "[%.*s]", len, rule);
    else
        snprintf(host, size, "%.*s", len, rule);
    if (is_private(host))
        snprintf(host, size, "10.1.2.3");
    return port ? port : 80;
}

#ifdef SPT_FUZZ_PLANT
/* The bug: a rule is compared as it was written, so that one with a final dot holds for nothing. */
static bool holds(const char *rule, const char *host, int port, bool allow)
{
    char text[RULE_MAX + 16];
    struct spt_hostname read;
    struct spt_policy *policy = make(rule, allow);
    size_t len = strcspn(rule, ":");
    spt_policy_free(policy);
    if (spt_hostname_read(&read, host, strlen(host)) || read.kind != SPT_HOSTNAME_NAME ||
        len == 0 || rule[0] == '*')
        return true;
    snprintf(text, sizeof text, "%.*s", (int)spt_hostname_len(read.text, read.len), read.text);
    return strlen(text) == len && strncasecmp(text, rule, len) == 0;
}
#else
/* Returns true if a session with this rule alone denies, or allows, a request to the host. */
static bool holds(const char *rule, const char *host, int port, bool allow)
{
    char text[2 * RULE_MAX + 64];
    struct spt_url url;
    bool named;
    snprintf(text, sizeof text, "http://%s:%d/", host, port);
    CHECK(!spt_url_resolve(&url, NULL, text, strlen(text), SPT_URL_ABSOLUTE));
    struct spt_policy *policy = make(rule, allow);
    CHECK(policy);
    const char *reason =
        spt_policy_host(policy, url.host.text, url.host.len, url.port, &named).reason;
    spt_policy_free(policy);
    spt_url_release(&url);
    return allow ? !reason : reason != NULL;
}
#endif

static void check_rule(const char *rule)
{
    char host[RULE_MAX + 16], spelled[3 * RULE_MAX + 16];
    struct spt_hostname read;
    struct spt_policy *policy = make(rule, false);
    if (!policy) {
        CHECK(!make(rule, true));
        return;
    }
    spt_policy_free(policy);
    int port = write_witness(rule, host, sizeof host);
    CHECK(holds(rule, host, port, false));
    CHECK(rule[0] == ':' || holds(rule, host, port, true));
    CHECK(!spt_hostname_read(&read, host, strlen(host)));
    CHECK(holds(rule, read.text, port, false));
    if (read.kind != SPT_HOSTNAME_NAME)
        return;
    snprintf(spelled, sizeof spelled, "%.*s.", (int)spt_hostname_len(read.text, read.len),
             read.text);
    for (char *p = spelled; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    if (strlen(spelled) <= SPT_HOSTNAME_NAME_MAX)
        CHECK(holds(rule, spelled, port, false));
    size_t n = 0;
    for (const char *p = read.text; *p; p++)
        n += (size_t)snprintf(spelled + n, sizeof spelled - n, "%%%02x", (unsigned char)*p);
    CHECK(holds(rule, spelled, port, false));
}

/* --- ranges --- */

static bool same_bits(const uint8_t *a, const uint8_t *b, int bits)
{
    for (int i = 0; i < bits; i++)
        if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
            return false;
    return true;
}

/* A range made of an address holds for that address changed in one bit, if that bit does not
 * count. */
static void check_range(const uint8_t address[16], int bits, int changed)
{
    char text[INET6_ADDRSTRLEN], rule[INET6_ADDRSTRLEN + 8];
    uint8_t other[16];
    memcpy(other, address, 16);
    other[changed / 8] ^= (uint8_t)(0x80 >> changed % 8);
    inet_ntop(AF_INET6, address, text, sizeof text);
    snprintf(rule, sizeof rule, "%s/%d", text, bits);
    struct spt_policy *policy = make(rule, false);
    CHECK(policy);
    inet_ntop(AF_INET6, other, text, sizeof text);
    bool denied = spt_policy_text(policy, text, 80, true).reason;
    spt_policy_free(policy);
    CHECK(denied || !same_bits(address, other, bits));
    bool disguised =
        other[0] == 0 || (other[0] == 0x20 && other[1] == 2); /* what is inside counts, too */
    CHECK(!denied || disguised || same_bits(address, other, bits));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char rule[RULE_MAX + 1];
    uint8_t address[16];
    struct input in = {data, size};
    for (size_t i = 0; i < 16; i++)
        address[i] = input_byte(&in);
    int bits = (int)input_below(&in, 129);
    check_range(address, bits, (int)input_below(&in, 128));
    if (in.len > RULE_MAX || memchr(in.data, 0, in.len))
        return 0;
    memcpy(rule, in.data, in.len);
    rule[in.len] = '\0';
    check_rule(rule);
    return 0;
}
