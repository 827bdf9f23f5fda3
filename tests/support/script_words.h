/* SPDX-License-Identifier: MIT */
/* The words that a script of the tests of core/ and op/ has besides Septet's own: a log that the
 * test compares, the fake operation, and calls as C code makes them that does not know of Septet.
 * Those in Lua are in prelude.lua. */
#ifndef SPT_TESTS_SCRIPT_WORDS_H
#define SPT_TESTS_SCRIPT_WORDS_H

#include <lua.h>

/* Sets the words as globals. Raises errors. */
void script_words_open(lua_State *L);

/* Empties the log. */
void clear_log(void);

/* Appends a word to the log, with a space before it. */
void log_word(const char *word);

/* Returns the log as it is. */
const char *logged(void);

/* What was logged since the last call. */
void assert_log(const char *expected);

/* The log has this in it. */
void assert_log_has(const char *part);

#endif
