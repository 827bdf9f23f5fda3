/* SPDX-License-Identifier: MIT */
/* Parses the command line as lua5.4 does, and prints what is wrong with it. Uses neither Lua nor
 * the host. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_line[] = "usage: septet [options] [script [args]]\n";

static const char help_text[] =
    "Runs a Lua script as a task: it may await timers, HTTP requests and other tasks.\n"
    "\n"
    "  -e STAT    run the statement STAT\n"
    "  -l MOD     require MOD into the global MOD\n"
    "  -l G=MOD   require MOD into the global G\n"
    "  -W         turn warnings on\n"
    "  -E         ignore the environment: LUA_INIT, LUA_PATH, LUA_CPATH, SEPTET_...\n"
    "  -v         print the versions, then go on; twice, with what depends on them\n"
    "  --trace    print a line to stderr for each spawn, wait, cancellation, end and request\n"
    "  --virtual-time  let the clock jump to the next deadline when no task can run\n"
    "  --shuffle=SEED  run tasks that are ready together in an order drawn from a number\n"
    "  --max-slice=S   end a task that runs for more than S seconds without waiting\n"
    "  --version  print the versions and end\n"
    "  --help     print this and end\n"
    "  --         end of the options\n"
    "  -          end of the options, and the script comes from stdin\n"
    "\n"
    "Options run in their order, before the script. With no script, -e or -v, stdin is run.\n"
    "Exit status: 0 done, 1 the script failed or could not be loaded, 2 bad usage,\n"
    "4 every task waits and nothing can wake them, 130 interrupted, 143 terminated.\n";

int options_print_help(void)
{
    return printf("%s%s", usage_line, help_text) < 0 ? EXIT_SCRIPT : EXIT_DONE;
}

int options_print_usage(void)
{
    fprintf(stderr, "%stry 'septet --help'\n", usage_line);
    return EXIT_USAGE;
}

static int bad_option(const char *problem, const char *option, const char *nearest)
{
    fprintf(stderr, "septet: %s '%s'", problem, option);
    if (nearest != NULL)
        fprintf(stderr, ", did you mean '--%s'?", nearest);
    fprintf(stderr, "\n");
    return options_print_usage();
}

#define LONGEST_OPTION 15 /* characters; a longer name is never suggested */

/* Returns the number of characters to insert, remove or replace to turn `a` into `b`. The library
 * has such a function in Lua, which the command does not see. */
static size_t edit_distance(const char *a, size_t a_len, const char *b)
{
    size_t b_len = strlen(b), row[LONGEST_OPTION + 1];
    if (b_len > LONGEST_OPTION)
        return b_len;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_len];
}

/* Returns the long option that was probably meant by `option`, as in -trace, --trcae or --trace=x;
 * NULL if none is close. */
static const char *nearest_option(const char *option)
{
    static const char *const names[] = {"help",  "max-slice", "shuffle",
                                        "trace", "version",   "virtual-time"};
    const char *name = option + strspn(option, "-");
    size_t len = strcspn(name, "="), best = 3;
    const char *nearest = NULL;
    bool near = len > 1 && len < LONGEST_OPTION + best;
    for (size_t i = 0; near && i < sizeof names / sizeof names[0]; i++) {
        size_t distance = edit_distance(name, len, names[i]);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

/* Returns the value of --NAME=VALUE, or NULL if it is another option. */
static const char *value_of(const char *option, const char *name)
{
    size_t len = strlen(name);
    return strncmp(option, name, len) == 0 && option[len] == '=' ? option + len + 1 : NULL;
}

static int parse_shuffle(struct options *options, const char *option, const char *value)
{
    char *end;
    options->shuffle = strtoull(value, &end, 10);
    if (*end != '\0' || *value < '0' || *value > '9' || options->shuffle == 0)
        return bad_option("a whole number from 1 is expected in", option, NULL);
    return EXIT_DONE;
}

static int parse_max_slice(struct options *options, const char *option, const char *value)
{
    char *end;
    options->max_slice = strtod(value, &end);
    if (*end != '\0' || *value == '\0' ||
        !(options->max_slice >= 0.001 && options->max_slice < 1e6))
        return bad_option("seconds, at least 0.001, are expected in", option, NULL);
    return EXIT_DONE;
}

static int parse_long(struct options *options, const char *option)
{
    const char *value;
    if ((value = value_of(option, "--shuffle")))
        return parse_shuffle(options, option, value);
    if ((value = value_of(option, "--max-slice")))
        return parse_max_slice(options, option, value);

    if (strcmp(option, "--trace") == 0)
        options->trace = true;
    else if (strcmp(option, "--virtual-time") == 0)
        options->virtual_time = true;
    else if (strcmp(option, "--help") == 0)
        options->only_text = options->help = true;
    else if (strcmp(option, "--version") == 0)
        options->only_text = true, options->versions = 1;
    else
        return bad_option("unrecognized option", option, nearest_option(option));
    return EXIT_DONE;
}

/* Parses the option at argv[*at], and moves *at to its last word. */
static int parse_option(struct options *options, char **argv, int *at)
{
    const char *option = argv[*at];
    char letter = option[1];
    if (letter == '-')
        return parse_long(options, option);
    if ((letter == 'e' || letter == 'l') && option[2] == '\0') {
        const char *value = argv[*at + 1];
        if (value == NULL || value[0] == '-')
            return bad_option("missing argument of", option, NULL);
        ++*at;
    } else if (letter != 'e' && letter != 'l' && option[2] != '\0') {
        return bad_option("unrecognized option", option, nearest_option(option));
    }
    switch (letter) {
    case 'e':
        options->has_stat = true;
        return EXIT_DONE;
    case 'E':
        options->ignore_env = true;
        return EXIT_DONE;
    case 'v':
        options->versions++;
        return EXIT_DONE;
    case 'l':
    case 'W':
        return EXIT_DONE;
    case 'i':
        return bad_option("there is no interactive mode yet for", option, NULL);
    default:
        return bad_option("unrecognized option", option, NULL);
    }
}

int options_parse(struct options *options, int argc, char **argv)
{
    int i = 1, status;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        if (strcmp(argv[i], "--") == 0)
            break;
        if ((status = parse_option(options, argv, &i)) != EXIT_DONE)
            return status;
        if (options->only_text)
            return EXIT_DONE;
    }
    options->option_count = i;
    options->script = i < argc && strcmp(argv[i], "--") == 0 ? i + 1 : i;
    return EXIT_DONE;
}

bool options_run_stdin(const struct options *options, int argc)
{
    return options->script >= argc && !options->has_stat && !options->versions;
}
