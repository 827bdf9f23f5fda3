/* FNV-1a, a hash of bytes for tables. */
#ifndef SPT_BASE_HASH_H
#define SPT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t spt_hash(const char *bytes, size_t len)
{
    uint32_t h = UINT32_C(2166136261);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)bytes[i]) * UINT32_C(16777619);
    return h;
}

#endif
