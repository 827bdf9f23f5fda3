/* SPDX-License-Identifier: MIT */
/* Gives the terminal its mode before the process stops or ends, and sets it again when the process
 * goes on. */
#include "terminal_signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "change.h"
#include "inspect.h"
#include "terminal.h"

/* those of a fault in the program; a sanitizer may have handlers for them */
enum { CRASHES = 5 };
static const int crashes[CRASHES] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
static struct sigaction before[CRASHES];

static void catch_signal(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static bool is_default(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
           action.sa_handler == SIG_DFL;
}

/* Has the process go on as it would without the prompt. The handler was reset. */
static void on_end(int number)
{
    terminal_restore();
    for (size_t i = 0; i < CRASHES; i++)
        if (crashes[i] == number)
            sigaction(number, &before[i], NULL);
    raise(number); /* blocked until this handler returns */
}

static void on_size(int number)
{
    int saved = errno;
    change_note(CHANGE_SIZE);
    inspect_request();
    errno = saved;
}

static void on_continued(int number)
{
    int saved = errno;
    if (terminal_resume()) {
        change_note(CHANGE_CONTINUED);
        inspect_request();
    }
    errno = saved;
}

/* Stops the process as the signal does. If the kernel refuses to, because no shell could continue
 * the process, the prompt goes on at once. */
static void on_stop(int number)
{
    int saved = errno;
    terminal_suspend();
    catch_signal(number, SIG_DFL, 0);
    raise(number);
    catch_signal(number, on_stop, SA_NODEFER | SA_RESTART);
    on_continued(SIGCONT);
    errno = saved;
}

/* Returns true for a signal that ends the process unless it is caught. */
static bool is_deadly(int number)
{
    static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG,  SIGWINCH, SIGTSTP,
                                   SIGTTIN, SIGTTOU, SIGSTOP, SIGKILL};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (harmless[i] == number)
            return false;
    return true;
}

void terminal_signals_catch(void)
{
    static bool caught;
    if (caught)
        return;
    caught = true;
    if (is_default(SIGTSTP))
        catch_signal(SIGTSTP, on_stop, SA_NODEFER | SA_RESTART);
    catch_signal(SIGCONT, on_continued, SA_RESTART);
    catch_signal(SIGWINCH, on_size, SA_RESTART);
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], NULL, &before[i]);
    for (int number = 1; number <= SIGRTMAX; number++)
        if (is_deadly(number) && is_default(number))
            catch_signal(number, on_end, (int)SA_RESETHAND);
    for (size_t i = 0; i < CRASHES; i++)
        if (before[i].sa_handler != SIG_IGN)
            catch_signal(crashes[i], on_end, (int)SA_RESETHAND);
}
