/* SPDX-License-Identifier: MIT */
/* The Lua modules compiled into the library; tools/embed.c generates the table at build time. */
#ifndef SPT_LUA_EMBED_H
#define SPT_LUA_EMBED_H

#include <stddef.h>

struct spt_module {
    const char *name;   /* as passed to `require`; NULL ends the table */
    const char *source; /* Lua text, not terminated */
    size_t size;        /* bytes */
};

extern const struct spt_module spt_modules[];

#endif
