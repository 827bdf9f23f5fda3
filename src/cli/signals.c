/* SPDX-License-Identifier: MIT */
/* Lets INT and TERM interrupt the script once, and end the process if the interruption reaches no
 * task. */
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
static bool is_quiet;                 /* a command of ours runs */
static bool keeps_going;              /* an interrupt ends what the prompt runs, not all */
static volatile sig_atomic_t insists; /* what runs was interrupted twice */
static volatile sig_atomic_t leaves;  /* the signal that ends the prompt; or 0 */
static bool pipe_interrupts;          /* the end of stdout's reader interrupts the script */

/* The signals that interrupt. A timer sends each one again when its grace period is over. */
static struct {
    int number;
    bool has_timer;
    timer_t timer;
} interrupts[] = {{.number = SIGINT}, {.number = SIGTERM}, {.number = SIGHUP}};

enum { NTIMED = 2, NINTERRUPTS = 3 }; /* SIGHUP interrupts the prompt alone, without a timer */

void signals_init(void)
{
    for (size_t i = 0; i < NTIMED; i++) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = interrupts[i].number};
        interrupts[i].has_timer = timer_create(CLOCK_MONOTONIC, &event, &interrupts[i].timer) == 0;
    }
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

/* Asks the script to end at the first signal. The next one, from any sender, ends the process by
 * the signal. If the timer sent it and the script has asked to exit, it ends with that status. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    if (caught != 0 && info->si_code == SI_TIMER && exit_status >= 0)
        _exit(exit_status);
    if (caught != 0 && number != caught && watched_is())
        return; /* Ctrl-C reached both processes, and the command has cancelled the script, too */
    if (keeps_going && caught != 0 && !insists) {
        insists = true;
        septet_interrupt(interruptible);
        return;
    }
    if (caught != 0) {
        inspect_where_blocked();
        terminal_restore();
        signal(number, SIG_DFL);
        raise(number); /* blocked until this handler returns */
        return;
    }
    if (!pthread_equal(pthread_self(),
                       runner)) { /* a helper's: a call that blocks the runner ends */
        pthread_kill(runner, number);
        return;
    }
    caught = number;
    set_timer(number, GRACE_S);
    if (keeps_going && number != SIGINT)
        leaves = number;
    if (number == SIGINT && !keeps_going && !is_quiet)
        inspect_where(interruptible);
    septet_interrupt(interruptible);
}

void signals_delivered(void *ud)
{
    stop_timers();
    if (keeps_going)
        caught = insists = 0;
}

void signals_keep_going(bool keep)
{
    keeps_going = keep;
}

int signals_leave(void)
{
    return leaves;
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

/* Runs the host with the two signals turned into septet_interrupt(). Outside septet_run() nothing
 * needs unwinding, and the signals act as in any program. */
int signals_run(septet_host *host)
{
    struct sigaction before[NINTERRUPTS];
    interruptible = host;
    runner = pthread_self();
    caught = 0;
    inspect_begin(host);
    const size_t count = keeps_going ? NINTERRUPTS : NTIMED;
    for (size_t i = 0; i < count; i++)
        catch_signal(interrupts[i].number, &before[i]);
    int result = septet_run(host);
    stop_timers();
    inspect_end();
    for (size_t i = 0; i < count; i++)
        sigaction(interrupts[i].number, &before[i], NULL);
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
