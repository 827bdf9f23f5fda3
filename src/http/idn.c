/* SPDX-License-Identifier: MIT */
/* Converts host names by libidn2. libcurl would take a name for text in the locale's encoding. */
#include "http/idn.h"

#include <idn2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"

/* Returns true if the mapped name is a valid one. Mapping can produce characters that end a host in
 * a URL. */
static bool is_name(const char *ascii)
{
    return *ascii && !ascii[strspn(ascii, "abcdefghijklmnopqrstuvwxyz0123456789-._")];
}

const char *spt_idn_host(const char *name, size_t len, char out[static SPT_IDN_MAX])
{
    char text[4 * SPT_IDN_MAX], *ascii = NULL;
    if (len >= sizeof text)
        return "host";
    struct spt_library_failure failure;
    if (!spt_library_load(SPT_NEEDS_IDN, &failure))
        return "library";
    memcpy(text, name, len);
    text[len] = '\0';
    int rc = idn2_lookup_u8((const uint8_t *)text, (uint8_t **)&ascii,
                            IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    bool good = rc == IDN2_OK && strlen(ascii) < SPT_IDN_MAX && is_name(ascii);
    if (good)
        strcpy(out, ascii);
    idn2_free(ascii);
    return good ? NULL : rc == IDN2_MALLOC ? "memory" : "host";
}
