/* SPDX-License-Identifier: MIT */
/* The parsed command line of septet. Parsing runs nothing. */
#ifndef SPT_CLI_OPTIONS_H
#define SPT_CLI_OPTIONS_H

#include <stdbool.h>

enum exit_status {
    EXIT_DONE = 0,
    EXIT_SCRIPT = 1,
    EXIT_USAGE = 2,
    EXIT_DEADLOCK = 4,
    EXIT_SIGNAL = 128, /* plus the number of the signal */
};

/* The options of the trace. The Lua module that writes the outputs reads their values itself. */
struct output_options {
    bool any;
    bool lines;             /* --trace */
    bool files;             /* --trace=FILE */
    bool otlp;              /* --otlp */
    const char *propagate;  /* an option --propagate; or NULL */
    const char *har_bodies; /* an option --har-bodies; or NULL */
    bool at_end;            /* some of them are written when the run has ended */
    const char *only_lines; /* an option that concerns only lines; or NULL */
};

struct command_row;

struct options {
    bool has_stat;    /* -e */
    bool ignore_env;  /* -E */
    bool interactive; /* -i, or nothing to run and a terminal */
    int versions;     /* number of -v; 2 or more print features and workarounds, too */
    bool only_text;   /* --help or --version: no script runs */
    bool help;        /* --help or the command help */
    bool all_options; /* with those that are seldom used */
    const struct command_row *command; /* which argv[1] names; NULL for a script */
    struct output_options outputs;
    bool virtual_time;
    unsigned long long shuffle; /* seed; 0 for the order of arrival */
    double max_slice;           /* seconds; 0 for no limit */
    int workers;                /* processes that run the script; 0 or 1: this one */
    int option_count;           /* argv[1] .. argv[option_count - 1] are options */
    int script;                 /* argv[script] is the script; argc if there is none */
};

/* Parses all the options. Returns EXIT_DONE, or EXIT_USAGE after printing the problem on stderr. */
int options_parse(struct options *options, int argc, char **argv);

/* Returns true if stdin is run although the command line does not name it. */
bool options_run_stdin(const struct options *options, int argc);

/* Prints the text of --help on stdout. Returns EXIT_DONE, or EXIT_SCRIPT if that fails. */
int options_print_help(const struct options *options);

/* Prints the usage on stderr. Returns EXIT_USAGE. */
int options_print_usage(void);

#endif
