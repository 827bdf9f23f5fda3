/* SPDX-License-Identifier: MIT */
/* Processes: how they start, what they get from the host, and that each is ended and reaped. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "core/timer.h"
#include "loop/child.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "support/cmocka.h"

#define LONG_NS (60 * SPT_NS_PER_SECOND)

struct fixture {
    struct spt_loop *loop;
    struct spt_child_set *set;
    struct spt_child *child;
    struct spt_child_watch watch;
    bool started, ended;
};

static uint64_t drain(void *ud)
{
    return SPT_NEVER;
}

static void on_started(void *ud)
{
    ((struct fixture *)ud)->started = true;
}

static void on_ended(struct spt_child_watch *watch)
{
    SPT_OF(watch, struct fixture, watch)->ended = true;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(spt_loop_new(&f->loop, NULL, drain, NULL), SEPTET_OK);
    f->set = spt_child_set_new(f->loop);
    assert_non_null(f->set);
    *state = f;
    return 0;
}

/* Ends the host, and checks that no child is left, as a process or as a zombie. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->child)
        spt_child_free(f->child);
    spt_child_set_free(f->set);
    spt_loop_free(f->loop);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    free(f);
    return 0;
}

static struct spt_launch_plan plan_of(const char *const *argv)
{
    return (struct spt_launch_plan){.argv = argv,
                                    .fds = {SPT_LAUNCH_NULL, SPT_LAUNCH_NULL, SPT_LAUNCH_INHERIT}};
}

/* Begins to start a process, of which nothing is known yet. */
static void begin(struct fixture *f, const struct spt_launch_plan *plan, uint64_t grace_ns)
{
    assert_int_equal(spt_child_start(&f->child, f->set, plan, grace_ns, on_started, f), 0);
    assert_false(f->started);
}

static void start(struct fixture *f, const struct spt_launch_plan *plan, uint64_t grace_ns)
{
    begin(f, plan, grace_ns);
    while (!f->started)
        spt_loop_run_once(f->loop, true);
    f->watch.fire = on_ended;
    spt_link_init(&f->watch.link);
    if (f->child->state == SPT_CHILD_RUNNING)
        spt_child_add_watch(f->child, &f->watch);
}

static void wait_end(struct fixture *f)
{
    while (f->child->state != SPT_CHILD_ENDED)
        spt_loop_run_once(f->loop, true);
}

static void run(struct fixture *f, const struct spt_launch_plan *plan)
{
    start(f, plan, LONG_NS);
    wait_end(f);
}

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", (script), NULL})

/* Starts a shell, and waits until it has written a byte. */
static void start_shell(struct fixture *f, const char *script, bool group, uint64_t grace_ns)
{
    int ends[2];
    char byte;
    struct spt_launch_plan plan = plan_of(SHELL(script));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    plan.fds[1] = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
    close(ends[1]);
    plan.group = group;
    start(f, &plan, grace_ns);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
}

/* --- starting --- */

static void test_a_process_ends_with_its_exit_code(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of(SHELL("exit 7"));
    run(f, &plan);
    assert_int_equal(f->child->launch.error, 0);
    assert_int_equal(f->child->exit_code, 7);
    assert_int_equal(f->child->signal, 0);
    assert_false(f->child->lost);
}

static void test_a_program_is_found_in_path(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of((const char *const[]){"true", NULL});
    run(f, &plan);
    assert_int_equal(f->child->exit_code, 0);
}

static void assert_fails(struct fixture *f, const struct spt_launch_plan *plan, int error,
                         const char *blame)
{
    start(f, plan, LONG_NS);
    assert_int_equal(f->child->state, SPT_CHILD_ENDED);
    assert_int_equal(f->child->launch.error, error);
    assert_int_equal(f->child->launch.pid, 0);
    if (blame)
        assert_string_equal(f->child->launch.blame, blame);
    else
        assert_null(f->child->launch.blame);
    assert_int_equal(spt_child_kill(f->child, SIGTERM), UV_ESRCH);
}

static void test_a_program_that_is_missing_is_an_error(void **state)
{
    struct spt_launch_plan plan = plan_of((const char *const[]){"no-such-program-here", NULL});
    assert_fails(*state, &plan, ENOENT, NULL);
}

static void test_a_path_that_is_missing_is_an_error(void **state)
{
    struct spt_launch_plan plan = plan_of((const char *const[]){"/no/such/program", NULL});
    assert_fails(*state, &plan, ENOENT, NULL);
}

static void test_a_file_that_is_no_program_is_an_error(void **state)
{
    struct spt_launch_plan plan = plan_of((const char *const[]){"/etc/passwd", NULL});
    assert_fails(*state, &plan, EACCES, NULL);
}

static void test_a_folder_is_no_program(void **state)
{
    struct spt_launch_plan plan = plan_of((const char *const[]){"/tmp", NULL});
    assert_fails(*state, &plan, EACCES, NULL);
}

static void test_an_empty_name_is_an_error(void **state)
{
    struct spt_launch_plan plan = plan_of((const char *const[]){"", NULL});
    assert_fails(*state, &plan, ENOENT, NULL);
}

static void test_a_folder_that_is_missing_is_blamed(void **state)
{
    struct spt_launch_plan plan = plan_of(SHELL("exit 0"));
    plan.cwd = "/no/such/folder";
    assert_fails(*state, &plan, ENOENT, "/no/such/folder");
}

static void test_a_file_is_no_folder(void **state)
{
    struct spt_launch_plan plan = plan_of(SHELL("exit 0"));
    plan.cwd = "/etc/passwd";
    assert_fails(*state, &plan, ENOTDIR, "/etc/passwd");
}

static void test_an_output_file_that_cannot_be_opened_is_blamed(void **state)
{
    struct spt_launch_plan plan = plan_of(SHELL("exit 0"));
    plan.fds[1] = SPT_LAUNCH_FILE;
    plan.files[1] = "/no/such/file";
    assert_fails(*state, &plan, ENOENT, "/no/such/file");
}

static void test_an_output_fifo_without_a_reader_does_not_block(void **state)
{
    char folder[] = "/tmp/septet-child-XXXXXX", path[64];
    struct spt_launch_plan plan = plan_of(SHELL("exit 0"));
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    plan.fds[1] = SPT_LAUNCH_FILE;
    plan.files[1] = path;
    assert_fails(*state, &plan, ENXIO, path);
    unlink(path);
    rmdir(folder);
}

/* --- what a child gets --- */

/* Runs a shell with output to a file, and returns that. */
static const char *output_of(struct fixture *f, struct spt_launch_plan *plan)
{
    static char text[4096];
    char path[] = "/tmp/septet-child-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    plan->fds[1] = SPT_LAUNCH_FILE;
    plan->files[1] = path;
    run(f, plan);
    assert_int_equal(f->child->exit_code, 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    unlink(path);
    return text;
}

static void test_no_other_descriptor_is_inherited(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of(SHELL("echo /proc/self/fd/*"));
    int leaky = open("/dev/null", O_RDONLY); /* as fopen() opens it: not closed in programs */
    assert_true(leaky > 2);
    /* 3 is the folder itself, which the shell reads */
    assert_string_equal(output_of(f, &plan),
                        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");
    close(leaky);
}

static void test_no_signal_is_blocked_or_ignored(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan =
        plan_of(SHELL("while read k v; do case $k in SigBlk:|SigIgn:) echo $k $v;; esac; done "
                      "</proc/self/status"));
    sigset_t some, before;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    assert_string_equal(output_of(f, &plan),
                        "SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

static void test_the_environment_is_the_host_s_with_changes(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of(SHELL("echo $KEPT-$SET-${GONE-none}-$GONER"));
    setenv("KEPT", "kept", 1);
    setenv("SET", "old", 1);
    setenv("GONE", "gone", 1);
    setenv("GONER", "here", 1); /* begins like one that is removed */
    plan.env = (const char *const[]){"SET=new=value", "GONE", NULL};
    assert_string_equal(output_of(f, &plan), "kept-new=value-none-here\n");
}

static void test_the_environment_may_be_empty(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of((const char *const[]){"/usr/bin/env", NULL});
    plan.clears_env = true;
    plan.env = (const char *const[]){"ONLY=this", NULL};
    assert_string_equal(output_of(f, &plan), "ONLY=this\n");
}

static void test_the_folder_is_the_plan_s(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of((const char *const[]){"pwd", NULL});
    plan.cwd = "/usr/bin";
    assert_string_equal(output_of(f, &plan), "/usr/bin\n");
}

static void test_stderr_may_be_stdout(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of(SHELL("echo out; echo err >&2"));
    plan.fds[2] = SPT_LAUNCH_STDOUT;
    assert_string_equal(output_of(f, &plan), "out\nerr\n");
}

/* --- ending --- */

static void test_a_process_that_is_killed_names_the_signal(void **state)
{
    struct fixture *f = *state;
    start_shell(f, "echo; exec sleep 60", true, LONG_NS);
    assert_int_equal(spt_child_kill(f->child, SIGUSR1), 0);
    wait_end(f);
    assert_true(f->ended);
    assert_int_equal(f->child->signal, SIGUSR1);
    assert_int_equal(f->child->exit_code, -1);
    assert_int_equal(spt_child_kill(f->child, SIGUSR1), UV_ESRCH);
}

static void test_an_end_begins_with_sigterm(void **state)
{
    struct fixture *f = *state;
    start_shell(f, "trap 'exit 9' TERM; echo; while :; do sleep 0.01; done", false, LONG_NS);
    spt_child_end(f->child);
    spt_child_end(f->child);
    wait_end(f);
    assert_int_equal(f->child->exit_code, 9);
}

static void test_sigkill_follows_after_the_grace(void **state)
{
    struct fixture *f = *state;
    start_shell(f, "trap '' TERM; echo; while :; do sleep 0.01; done", false, 50 * SPT_NS_PER_MS);
    spt_child_end(f->child);
    wait_end(f);
    assert_int_equal(f->child->signal, SIGKILL);
}

static void test_without_grace_sigkill_follows_at_once(void **state)
{
    struct fixture *f = *state;
    start_shell(f, "trap '' TERM; echo; while :; do sleep 0.01; done", false, 0);
    spt_child_end(f->child);
    wait_end(f);
    assert_int_equal(f->child->signal, SIGKILL);
}

static void test_a_stopped_process_ends_by_sigterm(void **state)
{
    struct fixture *f = *state;
    start_shell(f, "echo; exec sleep 60", false, LONG_NS);
    assert_int_equal(spt_child_kill(f->child, SIGSTOP), 0);
    spt_child_end(f->child);
    wait_end(f);
    assert_int_equal(f->child->signal, SIGTERM);
    assert_int_equal(kill(-1 * f->child->launch.pid, 0), -1);
}

/* The holder has a pipe's other end, and so says when it has ended. */
static void test_the_rest_of_a_group_ends_with_its_leader(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    char byte;
    struct spt_launch_plan plan = plan_of(SHELL("sleep 60 & exit 3"));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    plan.fds[1] = ends[1];
    plan.group = true;
    run(f, &plan);
    assert_int_equal(f->child->exit_code, 3);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* the end: the holder is gone */
    close(ends[0]);
}

static void test_the_rest_of_a_group_gets_the_grace(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    char byte;
    struct spt_launch_plan plan =
        plan_of(SHELL("(trap '' TERM; echo; while :; do sleep 0.01; done) & read x; exit 0"));
    int in[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    plan.fds[0] = in[0];
    plan.fds[1] = ends[1];
    plan.group = true;
    start(f, &plan, 50 * SPT_NS_PER_MS);
    assert_int_equal(read(ends[0], &byte, 1), 1); /* it ignores SIGTERM now */
    close(in[1]);
    wait_end(f);
    assert_true(f->child->group_left);
    while (f->child->set)
        spt_loop_run_once(f->loop, true);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

/* --- leaving at each step --- */

static void test_a_process_that_is_freed_as_it_starts_is_ended(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of(SHELL("exec sleep 60"));
    begin(f, &plan, LONG_NS);
    spt_child_free(f->child);
    f->child = NULL;
}

static void test_a_process_that_is_freed_once_started_is_ended(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of(SHELL("exec sleep 60"));
    start(f, &plan, LONG_NS);
    spt_link_remove(&f->watch.link);
    spt_child_free(f->child);
    f->child = NULL;
    spt_loop_run_once(f->loop, true);
}

static void test_the_end_of_the_host_kills_what_ignores_sigterm(void **state)
{
    struct fixture *f = *state;
    start_shell(f, "trap '' TERM; echo; while :; do sleep 0.01; done", true, 50 * SPT_NS_PER_MS);
    spt_link_remove(&f->watch.link);
}

static void test_the_host_may_end_before_its_children_are_freed(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of(SHELL("exec sleep 60"));
    start(f, &plan, LONG_NS);
    spt_child_set_free(f->set);
    assert_int_equal(f->child->state, SPT_CHILD_ENDED);
    assert_true(f->ended);
    f->set = spt_child_set_new(f->loop);
}

static void test_the_host_may_end_while_processes_start(void **state)
{
    struct fixture *f = *state;
    struct spt_launch_plan plan = plan_of(SHELL("exec sleep 60"));
    struct spt_child *more[8];
    begin(f, &plan, LONG_NS);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(spt_child_start(&more[i], f->set, &plan, LONG_NS, NULL, NULL), 0);
    spt_child_free(more[0]);
    spt_child_free(more[7]);
    spt_child_set_free(f->set);
    f->set = spt_child_set_new(f->loop);
    for (unsigned i = 1; i < 7; i++)
        spt_child_free(more[i]);
}

static void test_a_foreign_loop_goes_on_while_a_process_runs(void **state)
{
    struct fixture f = {0};
    uv_loop_t uv;
    struct spt_launch_plan plan = plan_of(SHELL("exit 4"));
    assert_int_equal(uv_loop_init(&uv), 0);
    assert_int_equal(spt_loop_new(&f.loop, &uv, drain, NULL), SEPTET_OK);
    f.set = spt_child_set_new(f.loop);
    begin(&f, &plan, LONG_NS);
    uv_run(&uv,
           UV_RUN_DEFAULT); /* returns by itself: a set without processes keeps no loop alive */
    assert_int_equal(f.child->exit_code, 4);
    spt_child_free(f.child);
    spt_child_set_free(f.set);
    spt_loop_free(f.loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

/* --- the signal --- */

static void test_a_host_that_blocks_sigchld_learns_of_the_end(void **state)
{
    struct fixture *f = *state;
    sigset_t chld, before;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &chld, &before);
    struct spt_launch_plan plan = plan_of(SHELL("sleep 0.05; exit 5"));
    run(f, &plan);
    assert_int_equal(f->child->exit_code, 5);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void test_a_host_that_ignores_sigchld_learns_of_the_end(void **state)
{
    struct fixture *f = *state;
    signal(SIGCHLD, SIG_IGN);
    struct spt_launch_plan plan = plan_of(SHELL("exit 6"));
    run(f, &plan);
    assert_int_equal(f->child->exit_code, 6);
}

static void test_a_process_that_other_code_reaps_is_lost(void **state)
{
    struct fixture *f = *state;
    start_shell(f, "echo; exec sleep 60", false, LONG_NS);
    pid_t pid = f->child->launch.pid;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    wait_end(f);
    assert_true(f->child->lost);
    assert_int_equal(f->child->exit_code, -1);
}

static void test_a_process_of_other_code_is_not_reaped(void **state)
{
    struct fixture *f = *state;
    int status;
    struct spt_launch_plan plan = plan_of(SHELL("exit 0"));
    pid_t pid = fork();
    if (pid == 0)
        _exit(11);
    run(f, &plan);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 11);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_a_process_ends_with_its_exit_code),
        WITH(test_a_program_is_found_in_path),
        WITH(test_a_program_that_is_missing_is_an_error),
        WITH(test_a_path_that_is_missing_is_an_error),
        WITH(test_a_file_that_is_no_program_is_an_error),
        WITH(test_a_folder_is_no_program),
        WITH(test_an_empty_name_is_an_error),
        WITH(test_a_folder_that_is_missing_is_blamed),
        WITH(test_a_file_is_no_folder),
        WITH(test_an_output_file_that_cannot_be_opened_is_blamed),
        WITH(test_an_output_fifo_without_a_reader_does_not_block),
        WITH(test_no_other_descriptor_is_inherited),
        WITH(test_no_signal_is_blocked_or_ignored),
        WITH(test_the_environment_is_the_host_s_with_changes),
        WITH(test_the_environment_may_be_empty),
        WITH(test_the_folder_is_the_plan_s),
        WITH(test_stderr_may_be_stdout),
        WITH(test_a_process_that_is_killed_names_the_signal),
        WITH(test_an_end_begins_with_sigterm),
        WITH(test_sigkill_follows_after_the_grace),
        WITH(test_without_grace_sigkill_follows_at_once),
        WITH(test_a_stopped_process_ends_by_sigterm),
        WITH(test_the_rest_of_a_group_ends_with_its_leader),
        WITH(test_the_rest_of_a_group_gets_the_grace),
        WITH(test_a_process_that_is_freed_as_it_starts_is_ended),
        WITH(test_a_process_that_is_freed_once_started_is_ended),
        WITH(test_the_end_of_the_host_kills_what_ignores_sigterm),
        WITH(test_the_host_may_end_before_its_children_are_freed),
        WITH(test_the_host_may_end_while_processes_start),
        cmocka_unit_test(test_a_foreign_loop_goes_on_while_a_process_runs),
        WITH(test_a_host_that_blocks_sigchld_learns_of_the_end),
        WITH(test_a_host_that_ignores_sigchld_learns_of_the_end),
        WITH(test_a_process_that_other_code_reaps_is_lost),
        WITH(test_a_process_of_other_code_is_not_reaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
