/* SPDX-License-Identifier: MIT */
/* Parses the command line as lua5.4 does, and prints what is wrong with it. Uses neither Lua nor
 * the host. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "option_table.h"

static const char usage_line[] = "usage: septet [options] [script [args]]\n";

int options_print_help(const struct options *options)
{
    return option_table_print(options->all_options) ? EXIT_DONE : EXIT_SCRIPT;
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

#define WORKERS_MAX 256 /* each takes two descriptors */

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

static int parse_workers(struct options *options, const char *option, const char *value)
{
    size_t digits = strspn(value, "0123456789");
    long n = digits > 0 && digits < 6 && value[digits] == '\0' ? strtol(value, NULL, 10) : 0;
    if (n < 1 || n > WORKERS_MAX)
        return bad_option("a number from 1 to 256 is expected in", option, NULL);
    options->workers = (int)n;
    return EXIT_DONE;
}

/* --- options of the trace --- */

static bool is_text(const char *value)
{
    return *value != '\0';
}

static bool is_whole_number(const char *value)
{
    size_t digits = strspn(value, "0123456789");
    return digits > 0 && digits < 16 && value[digits] == '\0';
}

static bool is_size(const char *value)
{
    return is_whole_number(value) && *value != '0';
}

/* Returns true for a file with an extension that names a format. */
static bool is_trace_file(const char *value)
{
    static const char *const extensions[] = {".har", ".html", ".json", ".trc"};
    const char *slash = strrchr(value, '/'), *name = slash != NULL ? slash + 1 : value;
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof extensions / sizeof *extensions; i++)
        if (strcmp(dot, extensions[i]) == 0)
            return true;
    return false;
}

static bool is_summary(const char *value)
{
    return strcmp(value, "json") == 0 || strcmp(value, "none") == 0;
}

enum output { TRACE, TRACE_FILTER, TRACE_LIMIT, HAR_BODIES, OTLP, PROPAGATE, SUMMARY, OUTPUTS };

static const struct {
    const char *name;
    bool needs_value;
    bool (*is_value)(const char *value);
    const char *expected; /* the problem with another value */
} outputs[OUTPUTS] = {
    [TRACE] = {"trace", false, is_trace_file, "a file .html, .json, .har or .trc is expected in"},
    [TRACE_FILTER] = {"trace-filter", true, is_text, "a task, URL or kind is expected in"},
    [TRACE_LIMIT] = {"trace-limit", true, is_whole_number, "a whole number from 0 is expected in"},
    [HAR_BODIES] = {"har-bodies", false, is_size, "a number of bytes from 1 is expected in"},
    [OTLP] = {"otlp", false, is_text, "a URL or 'console' is expected in"},
    [PROPAGATE] = {"propagate", true, is_text, "a list of hosts is expected in"},
    [SUMMARY] = {"summary", false, is_summary, "'json' or 'none' is expected in"},
};

/* Returns the number of an option in `outputs`, or OUTPUTS. */
static enum output find_output(const char *option)
{
    const char *name = option + 2;
    size_t len = strcspn(name, "=");
    for (enum output i = TRACE; i < OUTPUTS; i++)
        if (strlen(outputs[i].name) == len && strncmp(name, outputs[i].name, len) == 0)
            return i;
    return OUTPUTS;
}

static int parse_output(struct output_options *options, const char *option, enum output output)
{
    const char *value = strchr(option, '=');
    if (value == NULL ? outputs[output].needs_value : !outputs[output].is_value(value + 1))
        return bad_option(outputs[output].expected, option, NULL);
    options->any = true;
    if (output == TRACE && value == NULL)
        options->lines = true;
    else if (output == TRACE)
        options->files = true;
    else if (output == TRACE_FILTER || output == TRACE_LIMIT)
        options->only_lines = option;
    else if (output == OTLP)
        options->otlp = true;
    else if (output == PROPAGATE)
        options->propagate = option;
    else if (output == HAR_BODIES)
        options->har_bodies = option;
    if (output == SUMMARY || output == OTLP || options->files)
        options->at_end = true;
    return EXIT_DONE;
}

/* --- all options --- */

static int parse_long(struct options *options, const char *option)
{
    const char *value;
    enum output output = find_output(option);
    if (output < OUTPUTS)
        return parse_output(&options->outputs, option, output);
    if ((value = value_of(option, "--shuffle")))
        return parse_shuffle(options, option, value);
    if ((value = value_of(option, "--max-slice")))
        return parse_max_slice(options, option, value);
    if ((value = value_of(option, "--workers")))
        return parse_workers(options, option, value);

    if (strcmp(option, "--virtual-time") == 0)
        options->virtual_time = true;
    else if (strcmp(option, "--help") == 0)
        options->only_text = options->help = true;
    else if (strcmp(option, "--version") == 0)
        options->only_text = true, options->versions = 1;
    else
        return bad_option("unrecognized option", option, option_table_near_option(option));
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
        return bad_option("unrecognized option", option, option_table_near_option(option));
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
        options->interactive = true;
        return EXIT_DONE;
    default:
        return bad_option("unrecognized option", option, NULL);
    }
}

/* Several processes cannot read one script from standard input. */
static int check_workers(const struct options *options, int argc, char **argv)
{
    bool is_stdin = options_run_stdin(options, argc) || options->interactive;
    if (options->script < argc && options->script == options->option_count)
        is_stdin = strcmp(argv[options->script], "-") == 0;
    if (options->workers < 2 || !is_stdin)
        return EXIT_DONE;
    fputs("septet: --workers needs a script in a file, which each of them reads\n", stderr);
    return options_print_usage();
}

/* Sets the options of `septet help` and `septet help options`, which need no Lua. */
static void parse_help(struct options *options, int argc, char **argv)
{
    if (argc < 2 || argc > 3 || strcmp(argv[1], "help") != 0)
        return;
    options->all_options = argc == 3 && strcmp(argv[2], "options") == 0;
    options->help = argc == 2 || options->all_options;
}

/* Sets the clock and the order of tasks for `septet test --in-process`, of which the command's own
 * module reads the other words. */
static void parse_test(struct options *options, int argc, char **argv)
{
    bool in_process = false, real_time = false;
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *seed = value_of(argv[i], "--shuffle");
        in_process = in_process || strcmp(argv[i], "--in-process") == 0;
        real_time = real_time || strcmp(argv[i], "--real-time") == 0;
        if (seed != NULL)
            options->shuffle = strtoull(seed, NULL, 10);
    }
    options->virtual_time = in_process && !real_time;
}

int options_parse(struct options *options, int argc, char **argv)
{
    int i = 1, status;
    options->command = argc > 1 ? option_table_command(argv[1]) : NULL;
    parse_help(options, argc, argv);
    if (options->command != NULL && strcmp(options->command->name, "test") == 0)
        parse_test(options, argc, argv);
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        if (strcmp(argv[i], "--") == 0)
            break;
        if ((status = parse_option(options, argv, &i)) != EXIT_DONE)
            return status;
        if (options->only_text)
            return EXIT_DONE;
    }
    if (options->outputs.only_lines && options->outputs.files && !options->outputs.lines)
        return bad_option("--trace is missing for", options->outputs.only_lines, NULL);
    if (options->outputs.har_bodies && !options->outputs.files)
        return bad_option("--trace=FILE is missing for", options->outputs.har_bodies, NULL);
    if (options->outputs.propagate && !options->outputs.otlp)
        return bad_option("--otlp is missing for", options->outputs.propagate, NULL);
    options->option_count = i;
    options->script = i < argc && strcmp(argv[i], "--") == 0 ? i + 1 : i;
    if ((status = check_workers(options, argc, argv)) != EXIT_DONE)
        return status;
    if (options_run_stdin(options, argc) && isatty(STDIN_FILENO)) {
        if (!isatty(STDOUT_FILENO)) /* nothing would show a prompt */
            return options_print_usage();
        options->interactive = true;
    }
    return EXIT_DONE;
}

bool options_run_stdin(const struct options *options, int argc)
{
    return options->script >= argc && !options->has_stat && !options->versions &&
           !options->interactive;
}
