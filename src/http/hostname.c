/* SPDX-License-Identifier: MIT */
/* Reads a host as a name, as an IPv4 address in any notation, or as an IPv6 address in brackets. */
#include "http/hostname.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "http/idn.h"

enum {
    ZONE_MAX = 15,             /* bytes of an interface's name */
    TEXT_MAX = 4 * SPT_IDN_MAX /* bytes of a host as written */
};

static bool is_name_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10
                                                : 99;
}

size_t spt_hostname_len(const char *text, size_t len)
{
    return len > 0 && text[len - 1] == '.' ? len - 1 : len;
}

/* --- addresses --- */

static void map_v4(uint8_t to[16], const uint8_t v4[4])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(to, prefix, sizeof prefix);
    memcpy(to + 12, v4, 4);
}

int spt_hostname_read_address(const char *text, uint8_t to[16])
{
    uint8_t v4[4];
    if (inet_pton(AF_INET, text, v4) == 1) {
        map_v4(to, v4);
        return 32;
    }
    return inet_pton(AF_INET6, text, to) == 1 ? 128 : 0;
}

/* Reads a number in decimal, octal (0…) or hexadecimal (0x…). Stores UINT64_MAX if it is too large.
 * Returns false if it is not a number. */
static bool read_number(const char *text, size_t len, uint64_t *to)
{
    int base = 10;
    *to = 0;
    if (len == 0)
        return false;
    if (len >= 2 && text[0] == '0') {
        base = lower(text[1]) == 'x' ? 16 : 8;
        text += base == 16 ? 2 : 1;
        len -= base == 16 ? 2 : 1;
    }
    for (size_t i = 0; i < len; i++) {
        int digit = digit_of(text[i]);
        if (digit >= base)
            return false;
        *to = *to > UINT32_MAX ? UINT64_MAX : *to * (unsigned)base + (unsigned)digit;
    }
    return true;
}

/* Returns true if the last label is a number or has only digits. The whole text is then an address
 * or invalid. */
static bool ends_in_a_number(const char *text, size_t len)
{
    const char *last = memrchr(text, '.', len);
    size_t start = last ? (size_t)(last - text) + 1 : 0;
    uint64_t number;
    if (read_number(text + start, len - start, &number))
        return true;
    for (size_t i = start; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return len > start;
}

/* Reads an address of up to four numbers; the last one fills the remaining bytes. Returns false if
 * it is not an address. */
static bool read_v4(const char *text, size_t len, uint8_t to[4])
{
    uint64_t address = 0, number;
    for (unsigned parts = 1; parts <= 4; parts++) {
        const char *dot = memchr(text, '.', len);
        size_t n = dot ? (size_t)(dot - text) : len;
        if (!read_number(text, n, &number))
            return false;
        if (!dot) {
            if (number >> (8 * (5 - parts)))
                return false;
            address |= number;
            uint32_t wire = htonl((uint32_t)address);
            memcpy(to, &wire, 4);
            return true;
        }
        if (number > 255)
            return false;
        address |= number << (8 * (4 - parts));
        text = dot + 1;
        len -= n + 1;
    }
    return false;
}

size_t spt_hostname_write_number(char *to, unsigned n)
{
    char digits[10];
    size_t len = 0;
    do
        digits[len++] = (char)('0' + n % 10);
    while (n /= 10);
    for (size_t i = 0; i < len; i++)
        to[i] = digits[len - 1 - i];
    return len;
}

/* Writes four numbers and a NUL. Returns the length without the NUL. */
static size_t write_v4(char *to, const uint8_t v4[4])
{
    size_t len = 0;
    for (int i = 0; i < 4; i++) {
        len += spt_hostname_write_number(to + len, v4[i]);
        to[len++] = i < 3 ? '.' : '\0';
    }
    return len - 1;
}

/* Returns true if the text, which the closing bracket follows, is "%25" and the name of an
 * interface. */
static bool is_zone(const char *text, size_t len)
{
    if (len < 4 || len > 3 + ZONE_MAX || memcmp(text, "%25", 3) != 0)
        return false;
    for (size_t i = 3; i < len; i++)
        if (!is_name_byte((unsigned char)lower(text[i])))
            return false;
    return true;
}

/* Reads the text between brackets. Returns NULL or a word for the error, like the next ones. */
static const char *read_v6(struct spt_hostname *host, const char *text, size_t len)
{
    char literal[INET6_ADDRSTRLEN];
    const char *zone = memchr(text, '%', len);
    size_t n = zone ? (size_t)(zone - text) : len, zone_len = len - n;
    if (n >= sizeof literal)
        return "host";
    memcpy(literal, text, n);
    literal[n] = '\0';
    if (strlen(literal) != n || inet_pton(AF_INET6, literal, host->address) != 1)
        return "host";
    bool link_local = host->address[0] == 0xfe && (host->address[1] & 0xc0) == 0x80;
    if (zone && !(link_local && is_zone(zone, zone_len)))
        return "host";
    inet_ntop(AF_INET6, host->address, literal, sizeof literal);
    host->kind = SPT_HOSTNAME_V6;
    host->len = (size_t)snprintf(host->text, sizeof host->text, "[%s%.*s]", literal, (int)zone_len,
                                 zone ? zone : "");
    return NULL;
}

/* --- names --- */

/* Decodes percent-encoded bytes in place. Returns false if a percent sign is not followed by two
 * hexadecimal digits. */
static bool decode(char *text, size_t *len)
{
    size_t n = 0;
    for (size_t i = 0; i < *len; i++) {
        if (text[i] != '%') {
            text[n++] = text[i];
            continue;
        }
        if (*len - i < 3 || digit_of(text[i + 1]) > 15 || digit_of(text[i + 2]) > 15)
            return false;
        text[n++] = (char)(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2]));
        i += 2;
    }
    *len = n;
    return true;
}

/* Returns true if the text has no empty label but the root's, and only bytes that a name may
 * have. */
static bool is_name(const char *text, size_t len)
{
    bool begins = true; /* at the beginning of a label */
    for (size_t i = 0; i < len; i++) {
        if (!is_name_byte((unsigned char)text[i]) || (begins && text[i] == '.'))
            return false;
        begins = text[i] == '.';
    }
    return len > 0 && len <= SPT_HOSTNAME_NAME_MAX;
}

/* Reads the host's own text, which is in ASCII, as a name or an IPv4 address. */
static const char *classify(struct spt_hostname *host)
{
    uint8_t v4[4];
    size_t len = spt_hostname_len(host->text, host->len);
    host->text[host->len] = '\0';
    if (!is_name(host->text, host->len))
        return "host";
    host->kind = SPT_HOSTNAME_NAME;
    if (!ends_in_a_number(host->text, len))
        return NULL;
    if (!read_v4(host->text, len, v4))
        return "host";
    host->kind = SPT_HOSTNAME_V4;
    map_v4(host->address, v4);
    host->len = write_v4(host->text, v4);
    return NULL;
}

/* Reads a name in ASCII without percent-encoding. */
static const char *read_plain(struct spt_hostname *host, const char *text, size_t len)
{
    if (len > SPT_HOSTNAME_NAME_MAX)
        return "host";
    for (size_t i = 0; i < len; i++)
        host->text[i] = lower(text[i]);
    host->len = len;
    return classify(host);
}

static bool is_ascii(const char *text, size_t len)
{
    unsigned char high = 0;
    for (size_t i = 0; i < len; i++)
        high |= (unsigned char)text[i];
    return high < 128;
}

/* Reads a name that is percent-encoded or in UTF-8. */
static const char *read_encoded(struct spt_hostname *host, const char *text, size_t len)
{
    char copy[TEXT_MAX];
    if (len >= sizeof copy)
        return "host";
    memcpy(copy, text, len);
    if (!decode(copy, &len))
        return "host";
    if (is_ascii(copy, len))
        return read_plain(host, copy, len);
    if (memchr(copy, '\0', len))
        return "host";
    const char *word = spt_idn_host(copy, len, host->text);
    host->len = word ? 0 : strlen(host->text);
    return word ? word : classify(host);
}

const char *spt_hostname_read(struct spt_hostname *host, const char *text, size_t len)
{
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
        return read_v6(host, text + 1, len - 2);
    if (len == 0)
        return "host";
    return is_ascii(text, len) && !memchr(text, '%', len) ? read_plain(host, text, len)
                                                          : read_encoded(host, text, len);
}

const char *spt_hostname_read_port(const char *text, size_t len, int *port)
{
    long n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return "port";
        n = n * 10 + (text[i] - '0');
        if (n > 65535)
            return "port";
    }
    *port = (int)n;
    return len > 0 && n == 0 ? "port" : NULL;
}

const char *spt_hostname_read_authority(struct spt_hostname *host, int *port, const char *text,
                                        size_t len)
{
    const char *from = text;
    if (len > 0 && *text == '[') {
        const char *end = memchr(text, ']', len);
        if (!end)
            return "host";
        from = end;
    }
    size_t before = (size_t)(from - text);
    const char *colon = memchr(from, ':', len - before);
    size_t host_len = colon ? (size_t)(colon - text) : len;
    const char *word = spt_hostname_read(host, text, host_len);
    *port = 0;
    if (word || !colon)
        return word;
    return spt_hostname_read_port(colon + 1, len - host_len - 1, port);
}
