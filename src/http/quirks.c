/* SPDX-License-Identifier: MIT */
/* Looks up quirks in a table of version ranges, generated from SPT_QUIRK_MAP. */
#include "http/quirks.h"

#include <curl/curl.h>
#include <string.h>

static const struct {
    const char *word;
    unsigned from, to;
} table[] = {
#define XX(name, word, from, to) {word, from, to},
    SPT_QUIRK_MAP(XX)
#undef XX
};

static unsigned bit_of(const char *word, size_t len)
{
    for (unsigned i = 0; i < SPT_QUIRKS; i++)
        if (strlen(table[i].word) == len && memcmp(table[i].word, word, len) == 0)
            return 1u << i;
    return 0;
}

static unsigned change(unsigned quirks, const char *changes)
{
    while (*changes) {
        size_t len = strcspn(changes, ",");
        unsigned bit = len > 0 ? bit_of(changes + 1, len - 1) : 0;
        quirks = *changes == '-' ? quirks & ~bit : quirks | bit;
        changes += len + (changes[len] == ',');
    }
    return quirks;
}

unsigned spt_quirks_of(unsigned version, const char *changes)
{
    unsigned quirks = 0;
    for (unsigned i = 0; i < SPT_QUIRKS; i++)
        if (version >= table[i].from && version < table[i].to)
            quirks |= 1u << i;
    return changes ? change(quirks, changes) : quirks;
}

unsigned spt_quirks(const char *changes)
{
    return spt_quirks_of(curl_version_info(CURLVERSION_NOW)->version_num, changes);
}

const char *spt_quirks_http2_refusal(const char *changes)
{
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2))
        return "this libcurl does not know HTTP/2";
    return SPT_NO_HTTP2(spt_quirks(changes)) ? "HTTP/2 loses data in this libcurl" : NULL;
}

const char *spt_quirks_word(enum spt_quirk quirk)
{
    return table[quirk].word;
}
