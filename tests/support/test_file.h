/* SPDX-License-Identifier: MIT */
/* Files under tests/ that a test in C reads: scripts that lie beside it. */
#ifndef SPT_TESTS_TEST_FILE_H
#define SPT_TESTS_TEST_FILE_H

#include <lua.h>

/* Returns the text of the file at that path under tests/, valid until the next call. */
const char *test_file_read(const char *path);

/* Pushes the function of that name in the table that a Lua file returns. */
void test_file_push(lua_State *L, const char *path, const char *name);

#endif
