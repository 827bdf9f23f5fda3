/* SPDX-License-Identifier: MIT */
/* What the command line may hold: the options, commands, variables and statuses. The texts of
 * --help, the suggestions for wrong words, the completions and the check of the man page are made
 * from it. Parses nothing. What the commands take is in lua/septet/command/words/. */
#ifndef SPT_CLI_OPTION_TABLE_H
#define SPT_CLI_OPTION_TABLE_H

#include <stdbool.h>

struct lua_State;

struct option_row {
    const char *name; /* as it is typed: "-e STAT", "--trace=FILE", "--otlp[=URL]" */
    /* of the value: text, number, seconds, module, "*.har *.html" for files, or the words that are
     * allowed, as in "json|none"; NULL if there is none */
    const char *kind;
    const char *help; /* one line */
    bool is_seldom;   /* left out of --help; `septet help options` has it */
};

struct command_row {
    const char *name;
    const char *arguments;
    const char *module; /* private; its function `run` gets the words. NULL: the command is in C */
    const char *help;
};

/* Returns the command of this name; NULL if there is none. */
const struct command_row *option_table_command(const char *name);

/* Returns the long option that `option` probably means, without its dashes, as for -trace, --trcae
 * or --trace=x; NULL if none is close. */
const char *option_table_near_option(const char *option);

/* Returns the command that a word probably means; NULL if none is close. */
const char *option_table_near_command(const char *word);

/* Prints the text of --help, with all the options if `all` is set, on stdout. Returns false if that
 * fails. */
bool option_table_print(bool all);

/* A function for Lua, without arguments. Returns the table { options, commands, environment,
 * statuses, path }: lists of rows, and the path of the program's file. */
int option_table_push(struct lua_State *L);

#endif
