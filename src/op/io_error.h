/* SPDX-License-Identifier: MIT */
/* The IoError of readers and writers. Knows neither of them. */
#ifndef SPT_OP_IO_ERROR_H
#define SPT_OP_IO_ERROR_H

#include <lua.h>

/* Where an IoError comes from. */
struct spt_io_place {
    const char *operation; /* verb: "read" */
    const char *name;      /* of the file, the peer or the like */
    const char *field;     /* the field of the error that has the name: "path" */
};

/* Raises the IoError on top of the stack, with `code`, `operation` and the name as its fields. */
int spt_io_error_raise_at(lua_State *L, const struct spt_io_place *place, const char *code);

/* Makes and raises an IoError for libuv's error number `error`. The message has libuv's words for
 * it, unless `words` is given. */
int spt_io_error_raise_number(lua_State *L, const struct spt_io_place *place, int error,
                              const char *words);

/* Raises the IoError on top of the stack, with `code` and `path` as its fields. */
int spt_io_error_raise_code(lua_State *L, const char *path, const char *code);

/* Raises IoError for libuv's error number `error` of a step named by `verb`. The message has
 * libuv's words for the error, unless `words` is given. */
int spt_io_error_raise(lua_State *L, const char *verb, const char *path, int error,
                       const char *words);

#endif
