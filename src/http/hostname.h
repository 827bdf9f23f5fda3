/* SPDX-License-Identifier: MIT */
/* Hosts: the one parser of hosts, for URLs, rules, given addresses and proxies. It knows libidn2
 * (through idn.h), and neither URLs nor libcurl. */
#ifndef SPT_HTTP_HOSTNAME_H
#define SPT_HTTP_HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPT_HOSTNAME_NAME_MAX 255 /* bytes of a name */
#define SPT_HOSTNAME_SIZE     272 /* bytes of a host, including its NUL */

enum spt_hostname_kind { SPT_HOSTNAME_NAME, SPT_HOSTNAME_V4, SPT_HOSTNAME_V6 };

/* A host in the normal form that is compared and sent. A name is in lower case and ASCII. An IPv4
 * address has four decimal numbers; an IPv6 address has brackets and its shortest form. */
struct spt_hostname {
    char text[SPT_HOSTNAME_SIZE];
    size_t len;
    enum spt_hostname_kind kind;
    uint8_t address[16]; /* set if it is an address; IPv4 as IPv4-mapped IPv6 */
};

/* Reads a host as it may appear in a URL: percent-encoded, in UTF-8, or an address in any form of
 * WHATWG's standard. A name with a number as its last label must be an address. An IPv6 address has
 * brackets, and a zone (%25 and a name) only if it is link-local. Returns NULL, or the static word
 * for what is wrong: "host", "memory". */
const char *spt_hostname_read(struct spt_hostname *host, const char *text, size_t len);

/* Reads "host[:port]". The port is 0 if it is absent or empty. Returns like spt_hostname_read(),
 * but also the word "port". */
const char *spt_hostname_read_authority(struct spt_hostname *host, int *port, const char *text,
                                        size_t len);

/* Reads the digits of a port; 0 if there are none. Returns NULL or "port". */
const char *spt_hostname_read_port(const char *text, size_t len, int *port);

/* Returns the length of the host without the trailing dot of the root. */
size_t spt_hostname_len(const char *text, size_t len);

/* Reads an IPv4 or IPv6 address, as inet_pton() takes it and without brackets, into 16 bytes.
 * Returns the number of bits in an address of its family, or 0 if it is not an address. */
int spt_hostname_read_address(const char *text, uint8_t to[16]);

/* Writes a number in decimal, without a NUL. Returns the number of digits. URLs are written often,
 * and printf() is slow. */
size_t spt_hostname_write_number(char *to, unsigned n);

#endif
