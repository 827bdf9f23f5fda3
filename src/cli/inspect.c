/* SPDX-License-Identifier: MIT */
/* A handler notes what is wanted, and has the host call back as soon as it can. A timer repeats the
 * signal meanwhile: if C code keeps the host from it, the handler itself prints that. What handlers
 * do here is safe in them: no allocation, no stdio. */
#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "change.h"
#include "question.h"
#include "terminal.h"

enum {
    REPEAT_MS = 500,    /* until the signal is repeated */
    BLOCKED_MS = 400,   /* after which C code is said to block */
    PATIENCE_MS = 1400, /* after which that is said to another process, which waits for 2 s */
    AGAIN_MS = 1000,    /* within which a second QUIT ends the process */
    SLOW_MS = 100,      /* for which an answer waits in all for a slow reader */
    ASKERS = 8,         /* processes that may ask at once */
};

enum { WANT_WHERE = 1, WANT_TREE = 2 };

/* FREE ── a handler fills it in ──▶ CLAIMED ──▶ ASKED ── it is answered ──▶ CLAIMED ──▶ FREE */
enum { FREE, CLAIMED, ASKED };

/* Another process that asks. */
struct asker {
    atomic_int state;
    int fd; /* owned; the pipe to answer by */
    int form;
};

static struct {
    septet_host *_Atomic host; /* that runs; NULL: none */
    pthread_t runner;          /* thread of the hosts */
    const char *title;
    atomic_int wanted; /* WANT_... on stderr */
    struct asker askers[ASKERS];
    atomic_uint_least64_t asked_ms; /* when the oldest request came; 0: nothing is wanted */
    atomic_bool noted;              /* it was said on stderr that C code blocks */
    atomic_uint_least64_t quit_ms;  /* when the last QUIT came */
    bool has_timer;
    timer_t timer;
} state;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void repeat_every(long ms)
{
    const struct timespec interval = {.tv_nsec = ms * 1000000};
    if (state.has_timer)
        timer_settime(state.timer, 0,
                      &(struct itimerspec){.it_value = interval, .it_interval = interval}, NULL);
}

/* --- answers --- */

/* Text on its way to another process, which may read slowly or not at all. */
struct answer {
    int fd;
    int left_ms; /* for which it may still wait; negative: the rest is dropped */
    size_t n;
    char bytes[4096];
};

/* Waits for room in the pipe. */
static void await_room(struct answer *answer)
{
    struct pollfd pipe = {.fd = answer->fd, .events = POLLOUT};
    uint64_t start = now_ms();
    if (poll(&pipe, 1, answer->left_ms) <= 0)
        answer->left_ms = -1;
    else
        answer->left_ms -= (int)(now_ms() - start);
}

static void flush(struct answer *answer)
{
    const char *at = answer->bytes;
    while (answer->n > 0 && answer->left_ms >= 0) {
        ssize_t n = write(answer->fd, at, answer->n);
        if (n >= 0) {
            at += n;
            answer->n -= (size_t)n;
        } else if (errno == EAGAIN) {
            await_room(answer);
        } else if (errno != EINTR) {
            answer->left_ms = -1;
        }
    }
    answer->n = 0;
}

static void put(struct answer *answer, const char *text, size_t length)
{
    while (length > 0) {
        size_t room = sizeof answer->bytes - answer->n, n = length < room ? length : room;
        memcpy(answer->bytes + answer->n, text, n);
        answer->n += n;
        text += n;
        length -= n;
        if (answer->n == sizeof answer->bytes)
            flush(answer);
    }
}

static void put_line(void *ud, const char *text)
{
    put(ud, text, strlen(text));
    put(ud, "\n", 1);
}

/* Answers without the tasks, in a handler. */
static void refuse(struct asker *asker, char kind, const char *text, size_t length)
{
    int expected = ASKED;
    if (!atomic_compare_exchange_strong(&asker->state, &expected, CLAIMED))
        return;
    struct answer answer = {.fd = asker->fd};
    put(&answer, &kind, 1);
    put(&answer, text, length);
    put(&answer, "", 1);
    flush(&answer);
    close(asker->fd);
    asker->state = FREE;
}

static void dump(int form, void (*line)(void *ud, const char *text), void *ud)
{
    septet_host *host = state.host;
    septet_dump_options options;
    septet_dump_options_init(&options);
    options.form = form;
    options.title = state.title;
    if (host != NULL)
        septet_dump_with(host, &options, line, ud);
}

static void reply(struct asker *asker)
{
    int expected = ASKED;
    if (!atomic_compare_exchange_strong(&asker->state, &expected, CLAIMED))
        return;
    struct answer answer = {.fd = asker->fd, .left_ms = SLOW_MS};
    put(&answer, (const char[]){QUESTION_TEXT}, 1);
    dump(asker->form, put_line, &answer);
    put(&answer, "", 1);
    flush(&answer);
    close(asker->fd);
    asker->state = FREE;
}

/* --- on stderr --- */

static void print_line(void *ud, const char *text)
{
    terminal_before_output();
    fprintf(stderr, "%s%s\n", (const char *)ud, text);
}

void inspect_show(void *ud)
{
    int wanted = atomic_exchange(&state.wanted, 0);
    state.asked_ms = 0;
    repeat_every(0);
    change_deliver();
    if (wanted & WANT_WHERE)
        dump(SEPTET_DUMP_WHERE, print_line, "septet: interrupted: ");
    if (wanted & WANT_TREE)
        dump(SEPTET_DUMP_TREE, print_line, "");
    for (int i = 0; i < ASKERS; i++)
        reply(&state.askers[i]);
}

/* --- in handlers --- */

/* A short text. */
struct note {
    char text[192];
    size_t n;
};

static void add(struct note *note, const char *text)
{
    size_t length = strlen(text), room = sizeof note->text - note->n;
    memcpy(note->text + note->n, text, length < room ? length : room);
    note->n += length < room ? length : room;
}

static void add_number(struct note *note, uint64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(note, at);
}

/* Returns that the host cannot be asked, because C code blocks, or a finalizer. */
static struct note blocked_note(const septet_host *host)
{
    struct note note = {.n = 0};
    uint64_t ns;
    uint32_t task = septet_running(host, &ns);
    add(&note, "C code blocks: ");
    if (task == 0) {
        add(&note, "no task runs");
        return note;
    }
    add(&note, "task #");
    add_number(&note, task);
    if (ns > 0) { /* otherwise the clock is virtual */
        add(&note, " has run for ");
        add_number(&note, ns / 1000000000);
        add(&note, ".");
        add_number(&note, ns / 100000000 % 10);
        add(&note, " s");
    } else {
        add(&note, " runs");
    }
    return note;
}

static void print_note(struct note note, const char *end)
{
    struct note line = {.n = 0};
    note.text[note.n < sizeof note.text ? note.n : sizeof note.text - 1] = '\0';
    add(&line, "septet: ");
    add(&line, note.text);
    add(&line, end);
    ssize_t n = write(STDERR_FILENO, line.text, line.n);
    (void)n;
}

/* There is no host that runs. */
static void show_nothing(void)
{
    static const char none[] = "no script runs, so there is nothing to show";
    if (atomic_exchange(&state.wanted, 0) & WANT_TREE) {
        struct note note = {.n = 0};
        add(&note, none);
        print_note(note, "\n");
    }
    for (int i = 0; i < ASKERS; i++)
        refuse(&state.askers[i], QUESTION_NONE, none, strlen(none));
    state.asked_ms = 0;
    repeat_every(0);
}

/* Says that the host does not call back. */
static void say_blocked(const septet_host *host, uint64_t ms)
{
    struct note note = blocked_note(host);
    if ((state.wanted & WANT_TREE) && !atomic_exchange(&state.noted, true))
        print_note(note, "; the tasks follow when it returns\n");
    for (int i = 0; i < ASKERS && ms >= PATIENCE_MS; i++)
        refuse(&state.askers[i], QUESTION_NONE, note.text, note.n);
}

/* Requests a call of on_inspect. Runs in a handler on the thread of the host. */
static void pursue(void)
{
    septet_host *host = state.host;
    uint64_t now = now_ms(), asked = state.asked_ms;
    if (host == NULL) {
        show_nothing();
        return;
    }
    if (asked == 0) {
        state.asked_ms = now;
        state.noted = false;
        repeat_every(REPEAT_MS);
    } else if (now - asked >= BLOCKED_MS) {
        say_blocked(host, now - asked);
    }
    septet_inspect(host);
}

/* Opens the pipe of a process that asks. At once, because later another process may have its
 * number. */
static int open_pipe(pid_t pid, const struct question *q)
{
    struct note path = {.n = 0};
    struct stat file;
    add(&path, "/proc/");
    add_number(&path, (uint64_t)pid);
    add(&path, "/fd/");
    add_number(&path, (uint64_t)q->fd);
    path.text[path.n] = '\0';
    if (stat(path.text, &file) != 0 || !question_is_pipe(q, &file)) /* do not open a device */
        return -1;
    int fd = open(path.text, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &file) != 0 || !question_is_pipe(q, &file))) {
        close(fd);
        return -1;
    }
    return fd;
}

void inspect_decline(pid_t pid, int value, const char *reason)
{
    struct question q = question_unpack((unsigned)value);
    struct asker asker = {.state = ASKED, .fd = open_pipe(pid, &q)};
    if (asker.fd >= 0)
        refuse(&asker, QUESTION_NONE, reason, strlen(reason));
}

/* Takes the question of another process. Without room for it, that process gets no answer. */
static void take_question(const siginfo_t *info)
{
    struct question q = question_unpack((unsigned)info->si_value.sival_int);
    int fd = open_pipe(info->si_pid, &q);
    for (int i = 0; i < ASKERS && fd >= 0; i++) {
        int expected = FREE;
        struct asker *asker = &state.askers[i];
        if (!atomic_compare_exchange_strong(&asker->state, &expected, CLAIMED))
            continue;
        asker->fd = fd;
        asker->form = q.form;
        asker->state = ASKED;
        return;
    }
    if (fd >= 0)
        close(fd);
}

static bool is_question(const siginfo_t *info)
{
    return info->si_code == SI_QUEUE && info->si_value.sival_int != 0 && info->si_uid == getuid() &&
           info->si_pid > 0;
}

/* Returns true for a signal about what was noted before: from the timer, or from a helper's thread
 * that got it first. */
static bool is_repeated(const siginfo_t *info)
{
    bool from_here = info->si_code == SI_TKILL && info->si_pid == getpid();
    bool noted = state.wanted != 0;
    for (int i = 0; i < ASKERS; i++)
        noted |= state.askers[i].state == ASKED;
    return info->si_code == SI_TIMER || (from_here && noted);
}

static bool is_second_quit(void)
{
    uint64_t now = now_ms(), before = atomic_exchange(&state.quit_ms, now);
    return before != 0 && now - before < AGAIN_MS;
}

static void on_request(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    bool repeated = is_repeated(info);
    if (!repeated && number == SIGQUIT && is_second_quit()) {
        terminal_restore();
        signal(number, SIG_DFL);
        raise(number); /* blocked until this handler returns */
        return;
    }
    if (!repeated && is_question(info))
        take_question(info);
    else if (!repeated)
        atomic_fetch_or(&state.wanted, WANT_TREE);
    if (pthread_equal(pthread_self(), state.runner))
        pursue();
    else
        pthread_kill(state.runner, number);
    errno = saved;
}

void inspect_request(void)
{
    if (state.host != NULL)
        septet_inspect(state.host);
}

void inspect_where(septet_host *host)
{
    atomic_fetch_or(&state.wanted, WANT_WHERE);
    septet_inspect(host);
}

void inspect_where_blocked(void)
{
    septet_host *host = state.host;
    if ((atomic_fetch_and(&state.wanted, ~WANT_WHERE) & WANT_WHERE) && host != NULL)
        print_note(blocked_note(host), "; interrupted there\n");
}

/* --- the process --- */

static bool catch_signal(int number)
{
    struct sigaction before,
        action = {.sa_sigaction = on_request, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (const int *other = (const int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, 0}; *other;
         other++)
        sigaddset(&action.sa_mask, *other);
    sigaction(number, NULL, &before);
    return before.sa_handler != SIG_IGN && sigaction(number, &action, NULL) == 0;
}

void inspect_init(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    state.runner = pthread_self();
    bool quit = catch_signal(SIGQUIT);
    if (!catch_signal(SIGUSR1))
        event.sigev_signo = quit ? SIGQUIT : 0;
    state.has_timer =
        event.sigev_signo != 0 && timer_create(CLOCK_MONOTONIC, &event, &state.timer) == 0;
}

void inspect_set_title(const char *title)
{
    state.title = title;
}

void inspect_begin(septet_host *host)
{
    state.host = host;
}

void inspect_end(void)
{
    state.host = NULL;
    if (state.asked_ms != 0) /* it came too late */
        show_nothing();
}
