/* SPDX-License-Identifier: MIT */
/* Starts this program again for each worker, in a process group of its own: a signal typed at the
 * terminal reaches this process only, which sends it once. Signals are read from a descriptor, so
 * that one loop sees them, the output and the ends. */
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inspect.h"
#include "lines.h"
#include "options.h"
#include "worker.h"

enum {
    GRACE_MS = 2000,      /* from the second signal until SIGKILL */
    OWN_GRACE_MS = 12000, /* from a SIGTERM that no user sent */
};

struct worker {
    pid_t pid; /* 0: it has ended, or never was */
    int number;
};

struct crew {
    struct worker_command command;
    struct lines *lines;
    int count;
    int living;
    int status;          /* the worst so far */
    int end_signal;      /* that asked the workers to end; 0: none */
    int end_signals;     /* number of those */
    int64_t deadline_ms; /* when those that are left are killed; 0: never */
    bool failed;         /* not all workers could be started */
    int signals;         /* descriptor of the signals */
    struct worker *workers;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- starting them --- */

/* Makes a pipe with a reading end that does not block. */
static bool make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return true;
}

static bool start(struct crew *crew, int number)
{
    int out[2], err[2];
    if (!make_pipe(out))
        return false;
    if (!make_pipe(err)) {
        close(out[0]);
        close(out[1]);
        return false;
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        worker_exec(&crew->command, number, parent, (const int[]){out[1], err[1]});
    int saved = errno;
    close(out[1]);
    close(err[1]);
    lines_add(crew->lines, out[0], STDOUT_FILENO);
    lines_add(crew->lines, err[0], STDERR_FILENO);
    errno = saved;
    if (pid < 0)
        return false;
    setpgid(pid, pid); /* as it does itself: whichever comes first */
    crew->workers[crew->living++] = (struct worker){pid, number};
    return true;
}

/* --- signals --- */

static void send(const struct crew *crew, int number, bool to_groups)
{
    for (int i = 0; i < crew->count; i++) {
        pid_t pid = crew->workers[i].pid;
        if (pid != 0)
            kill(to_groups ? -pid : pid, number);
    }
}

static void say(const struct crew *crew, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct crew *crew, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    lines_say(crew->lines, text);
}

/* Answers `septet ps`. */
static void decline(const struct crew *crew, const struct signalfd_siginfo *info)
{
    char text[160] = "it runs no script, its workers do:";
    for (int i = 0; i < crew->count; i++) {
        size_t n = strlen(text);
        if (crew->workers[i].pid != 0 && n < sizeof text - 16)
            snprintf(text + n, sizeof text - n, " %d", (int)crew->workers[i].pid);
    }
    inspect_decline((pid_t)info->ssi_pid, (int)info->ssi_int, text);
}

/* Stops with the workers, until a SIGCONT. The system does not stop a process that no shell would
 * continue; then they go on, too. */
static void stop(const struct crew *crew, bool typed)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    send(crew, SIGTSTP, typed);
    signal(SIGTSTP, SIG_DFL);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    send(crew, SIGCONT, typed);
}

/* Notes that the workers are to end. At the second time they do so at once, or are killed. */
static void note_end(struct crew *crew, int number)
{
    crew->end_signal = number;
    if (++crew->end_signals == 2)
        crew->deadline_ms = now_ms() + GRACE_MS;
}

/* Ends the workers without a signal from outside. */
static void end_all(struct crew *crew)
{
    note_end(crew, SIGTERM);
    crew->deadline_ms = now_ms() + OWN_GRACE_MS;
    send(crew, SIGTERM, false);
}

static bool ends_a_worker(int number)
{
    return number == SIGINT || number == SIGTERM || number == SIGHUP;
}

/* Ends this process by a signal, so that a shell sees it. */
static void die_of(int number)
{
    sigset_t set;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(number, SIG_DFL);
    raise(number);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void on_signal(struct crew *crew, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;
    bool typed = info->ssi_code == SI_KERNEL; /* at the terminal: its programs get it, too */
    if (number == SIGCHLD)
        return;
    if (number == SIGUSR1 && info->ssi_code == SI_QUEUE && info->ssi_int != 0) {
        if (info->ssi_uid == getuid())
            decline(crew, info);
    } else if (number == SIGTSTP) {
        stop(crew, typed);
    } else {
        if (ends_a_worker(number) && crew->living == 0)
            die_of(number); /* only the reader of the output is waited for */
        if (ends_a_worker(number))
            note_end(crew, number);
        send(crew, number, typed);
    }
}

/* Has the signals that are not ignored read from a descriptor. */
static bool catch_signals(struct crew *crew)
{
    static const int numbers[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        sigaction(numbers[i], NULL, &action);
        if (action.sa_handler != SIG_IGN)
            sigaddset(&set, numbers[i]);
    }
    signal(SIGCHLD, SIG_DFL); /* ignored, it would keep the statuses from us */
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &crew->command.blocked);
    sigaddset(&crew->command.blocked, SIGPIPE); /* of the outputs: an error of the write */
    sigprocmask(SIG_BLOCK, &crew->command.blocked, NULL);
    sigdelset(&crew->command.blocked, SIGPIPE);
    crew->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return crew->signals >= 0;
}

/* --- ends --- */

static bool was_expected(const struct crew *crew, int status)
{
    if (lines_lost(crew->lines) == EPIPE)
        return true;
    return crew->end_signal != 0 && status == EXIT_SIGNAL + crew->end_signal;
}

static void tell_end(const struct crew *crew, const struct worker *worker, int wait_status)
{
    const char *more = crew->living > 0 && crew->end_signal == 0 ? "; the others go on" : "";
    if (WIFSIGNALED(wait_status)) {
        int number = WTERMSIG(wait_status);
        say(crew, "septet: worker %d (process %d) was ended by signal %d (%s)%s\n", worker->number,
            (int)worker->pid, number, strsignal(number), more);
    } else {
        say(crew, "septet: worker %d (process %d) ended with status %d%s\n", worker->number,
            (int)worker->pid, WEXITSTATUS(wait_status), more);
    }
}

static void reap(struct crew *crew)
{
    if (crew->living == 0)
        return;
    for (int i = 0; i < crew->count; i++) {
        struct worker *worker = &crew->workers[i];
        int result;
        if (worker->pid == 0 || waitpid(worker->pid, &result, WNOHANG) != worker->pid)
            continue;
        int status = WIFSIGNALED(result) ? EXIT_SIGNAL + WTERMSIG(result) : WEXITSTATUS(result);
        crew->living--;
        if (status != EXIT_DONE && !was_expected(crew, status))
            tell_end(crew, worker, result);
        worker->pid = 0;
        if (status > crew->status)
            crew->status = status;
    }
    if (crew->living > 0)
        return;
    lines_end(crew->lines);
    if (crew->end_signals > 0)
        crew->deadline_ms = now_ms() + GRACE_MS; /* the reader of the output may be slow */
}

/* --- the loop --- */

static void read_signals(struct crew *crew)
{
    struct signalfd_siginfo info;
    while (read(crew->signals, &info, sizeof info) == sizeof info)
        on_signal(crew, &info);
}

/* Acts on the time. Returns the milliseconds until it is to be called again; -1: never. */
static int keep_time(struct crew *crew)
{
    if (crew->deadline_ms == 0)
        return -1;
    int64_t left = crew->deadline_ms - now_ms();
    if (left > 0)
        return (int)left;
    send(crew, SIGKILL, false);
    return crew->living > 0 ? GRACE_MS : 0;
}

/* Ends the workers if the reader of the output has gone. */
static void look_at_output(struct crew *crew)
{
    if (lines_lost(crew->lines) == EPIPE && crew->end_signals == 0)
        end_all(crew);
}

static bool is_over(const struct crew *crew)
{
    bool gives_up = crew->deadline_ms != 0 && now_ms() >= crew->deadline_ms;
    return crew->living == 0 && (gives_up || lines_are_done(crew->lines));
}

/* Returns false if it cannot go on. */
static bool watch(struct crew *crew)
{
    size_t count = 1 + lines_count(crew->lines);
    struct pollfd *polled = calloc(count, sizeof *polled);
    if (!polled)
        return false;
    while (!is_over(crew)) {
        int wait = lines_prepare(crew->lines, polled + 1), due = keep_time(crew);
        polled[0] = (struct pollfd){.fd = crew->signals, .events = POLLIN};
        if (due >= 0 && (wait < 0 || due < wait))
            wait = due;
        poll(polled, count, wait);
        lines_pass(crew->lines, polled + 1);
        read_signals(crew);
        reap(crew);
        look_at_output(crew);
    }
    free(polled);
    return true;
}

/* --- the command --- */

/* Ends the command with the status of the workers. */
static int conclude(const struct crew *crew)
{
    int lost = lines_lost(crew->lines);
    if (lost == EPIPE)
        die_of(SIGPIPE);
    if (crew->failed)
        return EXIT_SCRIPT;
    if (lost != 0)
        fprintf(stderr, "septet: cannot write to standard output: %s\n", strerror(lost));
    if (crew->end_signal != 0 && crew->status == EXIT_SIGNAL + crew->end_signal)
        die_of(crew->end_signal);
    return lost != 0 && crew->status == EXIT_DONE ? EXIT_SCRIPT : crew->status;
}

static int fail(const char *what)
{
    fprintf(stderr, "septet: cannot start the workers: %s: %s\n", what, strerror(errno));
    return EXIT_SCRIPT;
}

static void start_all(struct crew *crew)
{
    for (int i = 1; i <= crew->count; i++) {
        if (start(crew, i))
            continue;
        say(crew, "septet: cannot start worker %d of %d: %s\n", i, crew->count, strerror(errno));
        crew->failed = true;
        end_all(crew);
        return;
    }
}

int workers_run(const struct options *options, int argc, char **argv)
{
    struct crew crew = {.count = options->workers};
    crew.command = (struct worker_command){.options = options, .argc = argc, .argv = argv};
    crew.lines = lines_new(2 * (size_t)crew.count);
    crew.workers = calloc((size_t)crew.count, sizeof *crew.workers);
    if (!crew.lines || !crew.workers || !catch_signals(&crew))
        return fail("no memory or no descriptor");
    start_all(&crew);
    if (!watch(&crew))
        return fail("no memory");
    int status = conclude(&crew);
    lines_free(crew.lines);
    free(crew.workers);
    return status;
}
