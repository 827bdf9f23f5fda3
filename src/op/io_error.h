/* SPDX-License-Identifier: MIT */
/* The IoError of readers and writers of files. Knows neither of them. */
#ifndef SPT_OP_IO_ERROR_H
#define SPT_OP_IO_ERROR_H

#include <lua.h>

/* Raises the IoError on top of the stack, with `code` and `path` as its fields. */
int spt_io_error_raise_code(lua_State *L, const char *path, const char *code);

/* Raises IoError for libuv's error number `error` of a step named by `verb`. The message has
 * libuv's words for the error, unless `words` is given. */
int spt_io_error_raise(lua_State *L, const char *verb, const char *path, int error,
                       const char *words);

#endif
