/* SPDX-License-Identifier: MIT */
/* The rows stand in the order in which --help and the man page have them. */
#include "option_table.h"

#include <limits.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct option_row options[] = {
    {"-e STAT", "text", "run the statement STAT", false},
    {"-l MOD", "module", "require MOD into the global MOD", false},
    {"-l G=MOD", "module", "require MOD into the global G", true},
    {"-i", NULL, "open a prompt after the script", false},
    {"-W", NULL, "turn warnings on", false},
    {"-E", NULL, "ignore the environment: LUA_INIT, LUA_PATH, SEPTET_...", false},
    {"-v", NULL, "print the versions; twice, what depends on them", false},
    {"--trace", NULL, "print a line for each spawn, wait, end and request", false},
    {"--trace-filter=WORD", "text", "print only lines of this task, URL or kind", true},
    {"--trace-limit=N", "number", "print at most N lines of the trace a second", true},
    {"--trace=FILE", "*.har *.html *.json *.trc",
     "write a report, a HAR, a Perfetto trace or a recording", false},
    {"--summary[=json]", "json|none", "print numbers of requests and tasks at the end", false},
    {"--otlp[=URL]", "url|console", "send spans to an OpenTelemetry collector", false},
    {"--propagate=HOSTS", "text", "send the header traceparent to these hosts", true},
    {"--har-bodies[=BYTES]", "number", "record the bodies of requests, too", true},
    {"--virtual-time", NULL, "let the clock jump when all tasks wait", false},
    {"--shuffle=SEED", "number", "run tasks that are ready in an order drawn from SEED", false},
    {"--max-slice=SECONDS", "seconds", "end a task that runs so long without waiting", false},
    {"--workers=N", "number", "run N processes of the script", false},
    {"--version", NULL, "print the versions and end", false},
    {"--help", NULL, "print this and end", false},
    {"--", NULL, "end of the options", true},
    {"-", NULL, "end of the options, and the script comes from stdin", false},
};

static const struct command_row commands[] = {
    {"check", "PATH...", "septet.check.command", "look for mistakes in scripts"},
    {"completions", "SHELL", "septet.command.completions", "print the completions for a shell"},
    {"doc", "[NAME]", "septet.doc.command", "print what a name of the API means"},
    {"help", "[COMMAND]", "septet.command.help", "print what a command does"},
    {"init", "[FOLDER]", "septet.command.new_project", "write the first files of a project"},
    {"jobs", "URL [VERB]", "septet.jobs.command", "show a queue of jobs, and mend it"},
    {"ps", "PID", NULL, "show what the tasks of a process wait for"},
    {"test", "[PATH...]", "septet.test.command", "run the tests in *_spec.lua and *_test.lua"},
    {"trace", "FILE", "septet.trace.command_trace", "convert a recording of --trace=FILE.trc"},
    {"watch", "SCRIPT", "septet.command.watch", "run a script again after each change"},
};

struct note {
    const char *name, *help;
};

static const struct note environment[] = {
    {"LUA_INIT_5_4", "a chunk to run first, or @ and its file"},
    {"LUA_INIT", "likewise, if the other is not set"},
    {"LUA_PATH_5_4", "where Lua looks for modules"},
    {"LUA_PATH", "likewise, if the other is not set"},
    {"LUA_CPATH_5_4", "where Lua looks for modules in C"},
    {"LUA_CPATH", "likewise, if the other is not set"},
    {"SEPTET_WORKER", "set for the script by --workers: its number"},
    {"SEPTET_WORKERS", "set for the script by --workers: their number"},
    {"SEPTET_LUA_PATH", "a folder with Lua modules to use instead of the library's own"},
};

static const struct note statuses[] = {
    {"0", "done"},          {"1", "the script failed or was not loaded"},
    {"2", "bad usage"},     {"4", "all tasks wait and nothing can wake them"},
    {"130", "interrupted"}, {"143", "terminated"},
};

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

const struct command_row *option_table_command(const char *name)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* --- words that are nearly right --- */

#define LONGEST 15 /* characters; a longer name is never suggested */

/* Returns the number of characters to insert, remove, replace or swap with the next to turn `a`
 * into `b`. The library has such a function in Lua, which the command does not see. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

/* Returns true if a name of `len` characters is nearer than *best, which becomes its distance. */
static bool is_nearer(const char *word, size_t word_len, const char *name, size_t len, size_t *best)
{
    if (len > LONGEST || word_len > LONGEST + *best)
        return false;
    size_t distance = edit_distance(word, word_len, name, len);
    if (distance >= *best)
        return false;
    *best = distance;
    return true;
}

const char *option_table_near_option(const char *option)
{
    static char nearest[LONGEST + 1];
    const char *word = option + strspn(option, "-");
    size_t len = strcspn(word, "="), best = 3;
    nearest[0] = '\0';
    for (size_t i = 0; len > 1 && i < COUNT(options); i++) {
        const char *name = options[i].name + strspn(options[i].name, "-");
        size_t name_len = strcspn(name, "=[ ");
        if (name_len > 1 && options[i].name[1] == '-' &&
            is_nearer(word, len, name, name_len, &best)) {
            memcpy(nearest, name, name_len);
            nearest[name_len] = '\0';
        }
    }
    return nearest[0] != '\0' ? nearest : NULL;
}

const char *option_table_near_command(const char *word)
{
    const char *nearest = NULL;
    size_t len = strlen(word), best = len < 6 ? 2 : 3; /* of short words, any is near */
    for (size_t i = 0; len > 1 && i < COUNT(commands); i++)
        if (is_nearer(word, len, commands[i].name, strlen(commands[i].name), &best))
            nearest = commands[i].name;
    return nearest;
}

/* --- the text of --help --- */

#define COLUMN 24 /* where the help of a row begins; the commands have it there, too */

static void print_row(const char *left, const char *help)
{
    bool is_long = strlen(left) > COLUMN - 4;
    printf("  %-*s%s", COLUMN - 2, left, is_long ? "\n" : "");
    printf("%*s%s\n", is_long ? COLUMN : 0, "", help);
}

bool option_table_print(bool all)
{
    char left[64];
    printf("usage: septet [options] [script [args]]\n"
           "       septet COMMAND ...\n"
           "Runs a Lua script as a task: it may await timers, HTTP requests and other tasks.\n\n");
    for (size_t i = 0; i < COUNT(options); i++)
        if (all || !options[i].is_seldom)
            print_row(options[i].name, options[i].help);
    printf("\nOptions run in their order, before the script. Without one, -e or -v, stdin is\n"
           "run. %s\n\nCommands:\n",
           all ? "See also: man septet." : "There are more: septet help options.");
    for (size_t i = 0; i < COUNT(commands); i++) {
        snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].arguments);
        print_row(left, commands[i].help);
    }
    printf("\nExit status:");
    for (size_t i = 0; i < COUNT(statuses); i++)
        printf("%s%s %s%s", i == 3 ? "\n " : " ", statuses[i].name, statuses[i].help,
               i + 1 < COUNT(statuses) ? "," : ".\n");
    return ferror(stdout) == 0;
}

/* --- the table for Lua --- */

static void set_text(lua_State *L, const char *name, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void push_notes(lua_State *L, const struct note *notes, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 2);
        set_text(L, "name", notes[i].name);
        set_text(L, "help", notes[i].help);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_options(lua_State *L)
{
    lua_createtable(L, COUNT(options), 0);
    for (size_t i = 0; i < COUNT(options); i++) {
        lua_createtable(L, 0, 4);
        set_text(L, "name", options[i].name);
        set_text(L, "kind", options[i].kind);
        set_text(L, "help", options[i].help);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_commands(lua_State *L)
{
    lua_createtable(L, COUNT(commands), 0);
    for (size_t i = 0; i < COUNT(commands); i++) {
        lua_createtable(L, 0, 4);
        set_text(L, "name", commands[i].name);
        set_text(L, "arguments", commands[i].arguments);
        set_text(L, "help", commands[i].help);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

int option_table_push(lua_State *L)
{
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path);
    lua_createtable(L, 0, 6);
    lua_pushlstring(L, path, len > 0 ? (size_t)len : 0);
    lua_setfield(L, -2, "path");
    lua_pushinteger(L, getpid());
    lua_setfield(L, -2, "pid");
    push_options(L);
    lua_setfield(L, -2, "options");
    push_commands(L);
    lua_setfield(L, -2, "commands");
    push_notes(L, environment, COUNT(environment));
    lua_setfield(L, -2, "environment");
    push_notes(L, statuses, COUNT(statuses));
    lua_setfield(L, -2, "statuses");
    return 1;
}
