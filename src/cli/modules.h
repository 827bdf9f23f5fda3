/* SPDX-License-Identifier: MIT */
/* The private Lua modules that only the command has; tools/embed.c generates the table at build
 * time. Programs that embed the library do not carry them. */
#ifndef SPT_CLI_MODULES_H
#define SPT_CLI_MODULES_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct module {
    const char *name;   /* NULL ends the table */
    const char *source; /* not terminated */
    size_t size;        /* bytes */
    bool text;          /* false for all of the command's */
};

extern const struct module command_modules[];

/* Lets the library's modules and the command's find the command's. */
void modules_give(lua_State *L);

#endif
