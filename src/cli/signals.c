/* SPDX-License-Identifier: MIT */
/* Lets INT, TERM and, at the prompt, HUP interrupt the script once. Ends the process if the
 * interruption reaches no task. */
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "inspect.h"
#include "terminal.h"
#include "watched.h"

#define GRACE_S 2 /* seconds from a signal until it ends the process, unless it reached a task */

static septet_host *volatile interruptible;
static pthread_t runner; /* the thread of that host */
static volatile sig_atomic_t caught;
/* Exit status that the script has asked for, or -1. */
static volatile sig_atomic_t exit_status = -1;
static bool is_quiet;                          /* a command of ours runs */
static bool is_prompt;                         /* INT ends what the prompt runs, and not all */
static volatile sig_atomic_t second_interrupt; /* what the prompt runs was interrupted twice */
static volatile sig_atomic_t leave_signal;     /* TERM or HUP, which ends the prompt; or 0 */
static bool pipe_interrupts; /* the end of stdout's reader interrupts the script */

/* The signals that interrupt. A timer sends each one again when its grace period is over. */
static struct {
    int number;
    bool has_timer;
    timer_t timer;
    struct sigaction before; /* what it did before the run */
} interrupts[] = {{.number = SIGINT}, {.number = SIGTERM}, {.number = SIGHUP}};

enum { HANGUP = 2, NINTERRUPTS = 3 }; /* SIGHUP, which interrupts the prompt alone, is the last */

static void create_timer(size_t i)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = interrupts[i].number};
    if (!interrupts[i].has_timer)
        interrupts[i].has_timer = timer_create(CLOCK_MONOTONIC, &event, &interrupts[i].timer) == 0;
}

void signals_init(void)
{
    for (size_t i = 0; i < HANGUP; i++)
        create_timer(i);
}

/* Has the signal sent again after `seconds`; 0 cancels that. Safe in a signal handler. */
static void set_timer(int number, int seconds)
{
    const struct itimerspec due = {.it_value.tv_sec = seconds};
    for (size_t i = 0; i < NINTERRUPTS; i++)
        if (interrupts[i].number == number && interrupts[i].has_timer)
            timer_settime(interrupts[i].timer, 0, &due, NULL);
}

static void stop_timers(void)
{
    for (size_t i = 0; i < NINTERRUPTS; i++)
        set_timer(interrupts[i].number, 0);
}

/* Returns true if a signal that is not the first changes nothing: Ctrl-C reached both processes,
 * and the command has cancelled the script, too; or both the kernel and the shell tell that the
 * terminal is gone. */
static bool is_repeated(int number, const siginfo_t *info)
{
    if (watched_is() && number != caught)
        return true;
    return number == SIGHUP && leave_signal == SIGHUP && info->si_code != SI_TIMER;
}

/* Returns true if the prompt goes on, so far, after a signal that is not the first: it begins to
 * leave, or what it runs is interrupted a second time. */
static bool is_for_prompt(int number)
{
    return is_prompt && leave_signal == 0 && (number != SIGINT || !second_interrupt);
}

/* Begins the grace period of a signal, in place of that of an interrupt before. */
static void begin(int number, const siginfo_t *info)
{
    stop_timers();
    caught = number;
    set_timer(number, GRACE_S);
    if (is_prompt && number != SIGINT)
        leave_signal = number;
    if (is_prompt && number == SIGINT && info->si_code == SI_KERNEL)
        terminal_end_echo();
    if (number == SIGINT && !is_prompt && !is_quiet)
        inspect_where(interruptible);
}

/* Asks the script to end at the first signal. The next one, from any sender, ends the process by
 * the signal. If the timer sent it and the script has asked to exit, it ends with that status. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    if (caught != 0 && info->si_code == SI_TIMER && exit_status >= 0) {
        terminal_restore();
        _exit(exit_status);
    }
    if (caught != 0 && is_repeated(number, info))
        return;
    if (caught != 0 && !is_for_prompt(number)) {
        inspect_where_blocked();
        terminal_restore();
        signal(number, SIG_DFL);
        raise(number); /* blocked until this handler returns */
        return;
    }
    int saved = errno;
    if (!pthread_equal(pthread_self(),
                       runner)) { /* a helper's: a call that blocks the runner ends */
        pthread_kill(runner, number);
    } else {
        if (caught == SIGINT && number == SIGINT)
            second_interrupt = true;
        else
            begin(number, info);
        septet_interrupt(interruptible);
    }
    errno = saved;
}

/* Blocks what interrupts, or lets it through again. */
static void block_interrupts(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < NINTERRUPTS; i++)
        sigaddset(&set, interrupts[i].number);
    pthread_sigmask(how, &set, NULL);
}

void signals_delivered(void *ud)
{
    block_interrupts(SIG_BLOCK);
    if (leave_signal == 0) { /* otherwise all has to end, and not only what was interrupted */
        stop_timers();
        if (is_prompt)
            caught = second_interrupt = 0;
    }
    block_interrupts(SIG_UNBLOCK);
}

void signals_begin_prompt(void)
{
    is_prompt = true;
    create_timer(HANGUP);
}

void signals_end_prompt(void)
{
    if (!is_prompt)
        return;
    is_prompt = false;
    if (leave_signal == 0)
        sigaction(SIGHUP, &interrupts[HANGUP].before, NULL);
}

int signals_leave_signal(void)
{
    return leave_signal;
}

/* Interrupts the script, as on_signal() does. A further write to stdout fails. Returns false if
 * there is nothing to interrupt, or it is interrupted already. */
static bool interrupt_by_pipe(int number)
{
    if (!pipe_interrupts || interruptible == NULL || (caught != 0 && caught != number))
        return false;
    if (!pthread_equal(pthread_self(), runner)) {
        pthread_kill(runner, number);
    } else if (caught == 0) {
        caught = number;
        set_timer(SIGTERM, GRACE_S);
        septet_interrupt(interruptible);
    }
    return true;
}

/* If the reader of stdout is gone (`| head`), ends the process by SIGPIPE, like other programs. */
static void on_sigpipe(int number)
{
    int saved = errno;
    struct pollfd out = {.fd = STDOUT_FILENO};
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) && !interrupt_by_pipe(number)) {
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = saved;
}

/* Installs the handler. A signal that is ignored at start-up stays ignored, because nohup and a
 * shell's background jobs rely on it. */
static void catch_signal(int number, struct sigaction *before)
{
    /* Without SA_RESTART a blocking read ends, as in lua5.4. */
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < NINTERRUPTS; i++)
        sigaddset(&action.sa_mask, interrupts[i].number);
    sigaddset(&action.sa_mask, SIGQUIT);
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(number, NULL, before);
    if (before->sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

/* Turns any other broken pipe or socket into an error of the write. Unlike SIG_IGN, a handler is
 * not inherited by the programs that a script starts. */
static void catch_sigpipe(void)
{
    struct sigaction action = {.sa_handler = on_sigpipe, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
}

/* Does nothing, so that a write beyond the file size limit fails with an error. */
static void on_sigxfsz(int number)
{
}

static void catch_sigxfsz(void)
{
    struct sigaction action = {.sa_handler = on_sigxfsz, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGXFSZ, &action, NULL);
}

/* Runs the host with the signals turned into septet_interrupt(). Outside septet_run() nothing needs
 * unwinding, and the signals act as in any program. */
int signals_run(septet_host *host)
{
    interruptible = host;
    runner = pthread_self();
    caught = 0;
    inspect_begin(host);
    const size_t count = is_prompt ? NINTERRUPTS : HANGUP;
    for (size_t i = 0; i < count; i++)
        catch_signal(interrupts[i].number, &interrupts[i].before);
    int result = septet_run(host);
    stop_timers();
    inspect_end();
    for (size_t i = 0; i < count; i++)
        sigaction(interrupts[i].number, &interrupts[i].before, NULL);
    interruptible = NULL;
    return result;
}

void signals_keep_quiet(void)
{
    is_quiet = true;
}

int signals_caught(void)
{
    return caught;
}

void signals_end_with(int status)
{
    exit_status = status & 0xff;
}

void signals_limit_the_end(int number)
{
    set_timer(number, GRACE_S);
}

void signals_interrupt_by_pipe(void)
{
    pipe_interrupts = true;
}

void signals_catch_output(void)
{
    catch_sigpipe();
    catch_sigxfsz();
}
