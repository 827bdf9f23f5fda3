/* SPDX-License-Identifier: MIT */
/* A worker is a program that is started anew, not only a fork: what the allocator and Lua draw
 * from addresses differs between the workers. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "options.h"

/* The variable by which a worker knows which outputs of the command are terminals. It is removed
 * before the script runs. */
#define TERMINALS "SEPTET_WORKER_TERMINALS"

static const char *terminals; /* of this worker; NULL: it is none */

/* --- the command line --- */

static bool begins(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

/* Returns --trace=DIR/NAME.EXT as --trace=DIR/NAME.NUMBER.EXT. */
static char *numbered(const char *word, int number)
{
    const char *dot = strrchr(word, '.');
    size_t size = strlen(word) + 16;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%.*s.%d%s", (int)(dot - word), word, number, dot);
    return text;
}

/* Returns the command line of a worker: without --workers, and with a file of its own for each
 * --trace=FILE. Returns NULL without memory. */
static char **words_of(const struct worker_command *command, int number)
{
    const struct options *options = command->options;
    char **argv = command->argv;
    int argc = command->argc;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    int n = 0;
    for (int i = 0; words && i < argc; i++) {
        bool is_option = i > 0 && i < options->option_count;
        if (is_option && begins(argv[i], "--workers="))
            continue;
        bool is_file = is_option && begins(argv[i], "--trace=");
        words[n++] = is_file ? numbered(argv[i], number) : argv[i];
        if (words[n - 1] == NULL)
            return NULL;
        if (is_option && (strcmp(argv[i], "-e") == 0 || strcmp(argv[i], "-l") == 0))
            words[n++] = argv[++i];
    }
    return words;
}

/* --- becoming a worker --- */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "septet: cannot start a worker: %s: %s\n", what, strerror(errno));
    _exit(EXIT_SCRIPT);
}

static void set_number(const char *name, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    if (setenv(name, text, 1) != 0)
        die("setenv");
}

static void set_environment(const struct options *options, int number)
{
    char which[3] = "";
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (isatty(fd))
            strcat(which, fd == STDOUT_FILENO ? "1" : "2");
    if (setenv(TERMINALS, which, 1) != 0)
        die("setenv");
    set_number("SEPTET_WORKER", number);
    set_number("SEPTET_WORKERS", options->workers);
}

/* Blocks, or unblocks, the signals that do not end a script. They would end a worker that is not
 * ready to catch them yet. */
static void block_questions(const sigset_t *others, int how)
{
    sigset_t set = *others;
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(how, &set, NULL);
}

/* Writes the path of this program's file. If it is started by the system's name for it, that would
 * be the name of the process. */
static void find_program(char *path, size_t size)
{
    static const char self[] = "/proc/self/exe";
    struct stat file, program;
    ssize_t n = readlink(self, path, size - 1);
    path[n < 0 ? 0 : n] = '\0';
    if (stat(self, &program) != 0 || stat(path, &file) != 0 || file.st_dev != program.st_dev ||
        file.st_ino != program.st_ino)
        snprintf(path, size, "%s", self);
}

static void redirect(const int outputs[2])
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0)
        die("/dev/null");
    if (dup2(nothing, STDIN_FILENO) < 0 || dup2(outputs[0], STDOUT_FILENO) < 0 ||
        dup2(outputs[1], STDERR_FILENO) < 0)
        die("dup2");
}

_Noreturn void worker_exec(const struct worker_command *command, int number, pid_t parent,
                           const int outputs[2])
{
    char path[4096];
    char **words = words_of(command, number);
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        die("prctl");
    if (getppid() != parent) /* it has ended before that */
        _exit(EXIT_SCRIPT);
    if (words == NULL)
        die("the command line");
    set_environment(command->options, number);
    find_program(path, sizeof path);
    redirect(outputs);
    block_questions(&command->blocked, SIG_SETMASK);
    execv(path, words);
    die(path);
}

/* --- being one --- */

void worker_begin(const struct options *options)
{
    const char *which = getenv(TERMINALS);
    if (which == NULL && options->workers == 1) {
        setenv("SEPTET_WORKER", "1", 1);
        setenv("SEPTET_WORKERS", "1", 1);
    }
    if (which == NULL)
        return;
    sigset_t none;
    sigemptyset(&none);
    terminals = strdup(which);
    unsetenv(TERMINALS);
    block_questions(&none, SIG_UNBLOCK);
    if (worker_isatty(STDOUT_FILENO))
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

void worker_seed(lua_State *L)
{
    lua_Integer seed[2];
    if (terminals == NULL || getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return;
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seed[0]);
    lua_pushinteger(L, seed[1]);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
}

bool worker_isatty(int fd)
{
    return terminals != NULL ? strchr(terminals, '0' + fd) != NULL : isatty(fd);
}
