/* SPDX-License-Identifier: MIT */
/* Sets the mode of the terminal, and writes what erases the line that is typed. */
#include "terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct termios usual; /* the mode for what runs */
static volatile sig_atomic_t is_raw;
static char erase[TERMINAL_ERASE_MAX]; /* "": what is typed is not shown */

bool terminal_is_used(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Has the terminal mark what is pasted, or not. Safe in a signal handler. */
static void mark_pastes(bool on)
{
    const char *const sequence = on ? "\033[?2004h" : "\033[?2004l";
    if (write(STDOUT_FILENO, sequence, strlen(sequence)) < 0)
        return; /* the terminal is gone */
}

void terminal_restore(void)
{
    if (is_raw) {
        mark_pastes(false);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &usual);
    }
    is_raw = false;
}

bool terminal_set_raw(void)
{
    if (is_raw || tcgetattr(STDIN_FILENO, &usual) != 0)
        return is_raw;
    struct termios raw = usual;
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR | ISTRIP);
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    if (is_raw)
        mark_pastes(true);
    return is_raw;
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
    if (write(STDOUT_FILENO, erase, strlen(erase)) >= 0)
        erase[0] = '\0';
}

void terminal_fill_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}
