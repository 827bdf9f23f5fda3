/* Names of hosts that are not in ASCII: what stands for them on the wire, in certificates and in
 * the DNS, whatever the locale. It knows libidn2 and no URLs' checks. */
#ifndef SPT_HTTP_IDN_H
#define SPT_HTTP_IDN_H

#include <stddef.h>

#define SPT_IDN_MAX 256 /* bytes of a name in ASCII, with its NUL */

/* Writes the ASCII form of a host's name in UTF-8. Returns NULL, or the static word for what is
 * wrong: "host", "memory". What is mapped to a character that no name has (a wide slash, say) is
 * wrong. */
const char *spt_idn_host(const char *name, size_t len, char out[static SPT_IDN_MAX]);

#endif
