/* SPDX-License-Identifier: MIT */
/* FNV-1a, a hash of bytes for tables. */
#ifndef SPT_BASE_HASH_H
#define SPT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define SPT_HASH_BASIS UINT32_C(2166136261)

/* Returns the hash `h` continued with a byte. */
static inline uint32_t spt_hash_add(uint32_t h, char byte)
{
    return (h ^ (unsigned char)byte) * UINT32_C(16777619);
}

static inline uint32_t spt_hash(const char *bytes, size_t len)
{
    uint32_t h = SPT_HASH_BASIS;
    for (size_t i = 0; i < len; i++)
        h = spt_hash_add(h, bytes[i]);
    return h;
}

/* Returns the hash of a string that ends with a NUL. */
static inline uint32_t spt_hash_text(const char *text)
{
    uint32_t h = SPT_HASH_BASIS;
    for (; *text; text++)
        h = spt_hash_add(h, *text);
    return h;
}

#endif
