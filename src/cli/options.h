/* The command line of septet, read: what was asked for, before anything of it is done. */
#ifndef SPT_CLI_OPTIONS_H
#define SPT_CLI_OPTIONS_H

#include <stdbool.h>

enum exit_status {
    EXIT_DONE = 0,
    EXIT_SCRIPT = 1,
    EXIT_USAGE = 2,
    EXIT_DEADLOCK = 4,
    EXIT_SIGNAL = 128, /* and the signal's number */
};

struct options {
    bool has_stat;   /* -e */
    bool ignore_env; /* -E */
    int versions;    /* how often -v: 2 and more, with what was found out about them */
    bool only_text;  /* --help or --version: nothing runs */
    bool help;       /* --help */
    bool trace;      /* --trace */
    bool virtual_time;
    unsigned long long shuffle; /* the seed; 0: first come, first served */
    double max_slice;           /* seconds; 0: no limit */
    int option_count;           /* argv[1] .. argv[option_count - 1] are options */
    int script;                 /* argv[script] is the script; argc: there is none */
};

/* Reads all the options. Returns EXIT_DONE, or EXIT_USAGE after saying on stderr what is wrong. */
int options_parse(struct options *options, int argc, char **argv);

/* Is stdin the script, though none was named? */
bool options_run_stdin(const struct options *options, int argc);

/* Prints --help's text on stdout. */
int options_print_help(void);

/* Prints on stderr how septet is used. Returns EXIT_USAGE. */
int options_print_usage(void);

#endif
