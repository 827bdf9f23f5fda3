/* SPDX-License-Identifier: MIT */
/* Sets the mode of the terminal, and writes what erases the line that is typed. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "change.h"

static struct termios usual; /* the mode for what runs */
static struct termios raw;   /* the mode for typing */
static volatile sig_atomic_t is_raw;
static char erase[TERMINAL_ERASE_MAX]; /* "": what is typed is not shown */

bool terminal_is_used(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Sets the mode for typing, in which the terminal marks what is pasted, or the usual one. Does
 * nothing if the process is in the background. That would stop the process, and disturb the program
 * that has the terminal. Safe in a signal handler. */
static bool set_mode(const struct termios *mode)
{
    const char *const marks = mode == &raw ? "\033[?2004h" : "\033[?2004l";
    if (tcgetpgrp(STDIN_FILENO) != getpgrp() || tcsetattr(STDIN_FILENO, TCSANOW, mode) != 0)
        return false;
    return write(STDOUT_FILENO, marks, strlen(marks)) > 0;
}

void terminal_restore(void)
{
    if (is_raw)
        set_mode(&usual);
    is_raw = false;
}

void terminal_suspend(void)
{
    if (is_raw)
        set_mode(&usual);
}

bool terminal_resume(void)
{
    erase[0] = '\0'; /* others have used the screen */
    return is_raw && set_mode(&raw);
}

bool terminal_set_raw(void)
{
    if (is_raw || tcgetattr(STDIN_FILENO, &usual) != 0)
        return is_raw;
    raw = usual;
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR | ISTRIP);
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    is_raw = true; /* first: a signal may come in between */
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0 || !set_mode(&raw))
        is_raw = false;
    return is_raw;
}

void terminal_end_echo(void)
{
    if (is_raw || (usual.c_lflag & (ECHO | ECHOCTL)) != (ECHO | ECHOCTL))
        return;
    ssize_t n = write(STDOUT_FILENO, "\n", 1);
    (void)n;
}

void terminal_show(const char *sequence)
{
    snprintf(erase, sizeof erase, "%s", sequence);
}

bool terminal_is_shown(void)
{
    return erase[0] != '\0';
}

void terminal_before_output(void)
{
    if (erase[0] == '\0')
        return;
    fflush(NULL);
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    const char *at = erase;
    while (*at != '\0') {
        ssize_t n = write(STDOUT_FILENO, at, strlen(at));
        if (n > 0)
            at += n;
        else if (errno == EAGAIN) /* another program has made it nonblocking */
            poll(&out, 1, -1);
        else if (errno != EINTR)
            break;
    }
    erase[0] = '\0';
    change_note(CHANGE_OUTPUT);
    change_deliver();
}

void terminal_fill_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}
