/* Hosts: the one place that decides what a host is, for URLs, rules, given addresses and proxies.
 * It knows libidn2 (by idn.h), and neither URLs nor libcurl. */
#ifndef SPT_HTTP_HOST_H
#define SPT_HTTP_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPT_HOST_NAME_MAX 255 /* bytes of a name */
#define SPT_HOST_SIZE     272 /* bytes of a host with its NUL */

enum spt_host_kind { SPT_HOST_NAME, SPT_HOST_V4, SPT_HOST_V6 };

/* A host in the one form that is compared and sent: a name in lower case and ASCII, an address of
 * IPv4 as four decimal numbers, one of IPv6 in brackets and as short as it can be. */
struct spt_host {
    char text[SPT_HOST_SIZE];
    size_t len;
    enum spt_host_kind kind;
    uint8_t address[16]; /* of an address; IPv4 as IPv6 maps it */
};

/* Reads a host as it may stand in a URL: percent-encoded, in UTF-8, an address in any form that
 * WHATWG's standard knows. A name whose last label is a number is an address or no host. An address
 * of IPv6 has brackets, and a zone (%25 and a name) only if it is link-local. Returns NULL, or the
 * static word for what is wrong: "host", "memory". */
const char *spt_host_read(struct spt_host *host, const char *text, size_t len);

/* Reads "host[:port]". The port is 0 where there is none or it is empty. Returns also the word
 * "port". */
const char *spt_host_read_authority(struct spt_host *host, int *port, const char *text, size_t len);

/* Returns the length of the host without the dot of the root. */
size_t spt_host_len(const char *text, size_t len);

/* Reads an address of either family, written as inet_pton takes it and without brackets, to 16
 * bytes. Returns how many bits the family has, or 0. */
int spt_host_read_address(const char *text, uint8_t to[16]);

/* Writes a number in decimal, without a NUL. Returns how many digits it has. URLs are written
 * often: printf is slow. */
size_t spt_host_write_number(char *to, unsigned n);

#endif
