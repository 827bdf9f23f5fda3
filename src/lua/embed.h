/* SPDX-License-Identifier: MIT */
/* The Lua modules compiled into the library; tools/embed.c generates the table at build time. */
#ifndef SPT_LUA_EMBED_H
#define SPT_LUA_EMBED_H

#include <stdbool.h>
#include <stddef.h>

struct spt_module {
    const char *name;   /* as passed to `require`; NULL ends the table */
    const char *source; /* not terminated */
    size_t size;        /* bytes */
    bool text;          /* the module is its source, a string, and not what that returns as Lua */
};

extern const struct spt_module spt_modules[];

#endif
