/* SPDX-License-Identifier: MIT */
/* Internationalised host names: their ASCII form for the wire, certificates and the DNS, in any
 * locale. It knows libidn2, and not the checks of URLs. */
#ifndef SPT_HTTP_IDN_H
#define SPT_HTTP_IDN_H

#include <stddef.h>

#define SPT_IDN_MAX 256 /* bytes of a name in ASCII, including its NUL */

/* Writes the ASCII form of a host name in UTF-8. A name that maps to a character which host names
 * cannot have (a wide slash, say) is wrong. Returns NULL, or the static word for what is wrong:
 * "host", "memory", or "library" if libidn2 cannot be loaded. */
const char *spt_idn_host(const char *name, size_t len, char out[static SPT_IDN_MAX]);

#endif
