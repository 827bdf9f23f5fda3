/* SPDX-License-Identifier: MIT */
/* A database on its thread: requests and their answers, faults, locks that last half a minute, and
 * its end. The lock of the stranger is that of another connection, in this thread. */
#include "sqlite/database.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "core/timer.h"
#include "loop/loop.h"
#include "septet/septet.h"
#include "sqlite/program.h"
#include "support/cmocka.h"

enum { APPLICATION = 77 };

struct fixture {
    struct spt_loop *loop;
    struct spt_sqlite *db;
    char folder[64];
    char path[96];
    unsigned answered;
    int insert, count, never;
};

static uint64_t drain(void *ud)
{
    return SPT_NEVER;
}

static void on_answer(void *ud)
{
    ((struct fixture *)ud)->answered++;
}

static void run_until(struct fixture *f, unsigned answers)
{
    while (f->answered < answers)
        spt_loop_run_once(f->loop, true);
}

static void open_with(struct fixture *f, const struct spt_sqlite_clock *clock, uint64_t patience_ns)
{
    const struct spt_sqlite_options options = {.path = f->path,
                                               .application = APPLICATION,
                                               .patience_ns = patience_ns,
                                               .cache_kib = 256,
                                               .clock = clock};
    f->db = spt_sqlite_open(f->loop, &options, on_answer, f);
    assert_non_null(f->db);
    run_until(f, f->answered + 1);
    f->insert = spt_sqlite_add_statement(f->db, "INSERT INTO t VALUES (?1)", 1, 0);
    f->count = spt_sqlite_add_statement(f->db, "SELECT count(*) FROM t", 0,
                                        SPT_SQLITE_ROWS | SPT_SQLITE_READS);
    f->never = spt_sqlite_add_statement(f->db, "UPDATE t SET x = x WHERE 0", 0, SPT_SQLITE_FENCES);
}

static struct spt_sqlite_request *new_request(void)
{
    struct spt_sqlite_request *request = spt_sqlite_request_new();
    assert_non_null(request);
    return request;
}

static void add(struct fixture *f, struct spt_sqlite_request *request, int statement)
{
    const struct spt_sqlite_value value = {.kind = SPT_SQLITE_INTEGER, .integer = 1};
    const struct spt_sqlite_statement *what = spt_sqlite_statement(f->db, (uint32_t)statement);
    assert_int_equal(spt_sqlite_request_add(request, (uint32_t)statement, what->flags), SEPTET_OK);
    for (unsigned i = 0; i < what->values; i++)
        assert_int_equal(spt_sqlite_program_add_value(&request->program, &value), SEPTET_OK);
}

static struct spt_sqlite_request *submit(struct fixture *f, int statement)
{
    struct spt_sqlite_request *request = new_request();
    add(f, request, statement);
    spt_sqlite_submit(f->db, request, on_answer, f);
    return request;
}

/* Runs a statement, and returns the code of its fault, or NULL. */
static const char *run(struct fixture *f, int statement)
{
    struct spt_sqlite_request *request = submit(f, statement);
    run_until(f, f->answered + 1);
    const char *code = request->fault.code;
    spt_sqlite_request_free(request);
    return code;
}

/* Returns the number of rows. */
static int64_t rows(struct fixture *f)
{
    size_t at = 0;
    struct spt_sqlite_request *request = submit(f, f->count);
    run_until(f, f->answered + 1);
    assert_null(request->fault.code);
    assert_int_equal(spt_sqlite_program_read(&request->rows, &at), 1);
    const int64_t n = spt_sqlite_program_read_value(&request->rows, &at).integer;
    spt_sqlite_request_free(request);
    return n;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/septet-sqlite-XXXXXX");
    if (!mkdtemp(f->folder) || spt_loop_new(&f->loop, NULL, drain, NULL) != SEPTET_OK)
        return -1;
    snprintf(f->path, sizeof f->path, "%s/db", f->folder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    char command[96];
    struct fixture *f = *state;
    if (f->db)
        spt_sqlite_end(f->db);
    spt_loop_free(f->loop);
    snprintf(command, sizeof command, "rm -r %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

/* Opens the database and makes its table. */
static void open_table(struct fixture *f, const struct spt_sqlite_clock *clock,
                       uint64_t patience_ns)
{
    open_with(f, clock, patience_ns);
    assert_null(spt_sqlite_open_fault(f->db)->code);
    const int make = spt_sqlite_add_statement(
        f->db, "CREATE TABLE t (x); PRAGMA application_id = 77", 0, SPT_SQLITE_SCRIPT);
    assert_null(run(f, make));
}

static void test_requests(void **state)
{
    struct fixture *f = *state;
    open_table(f, NULL, SPT_NS_PER_SECOND);
    for (int i = 0; i < 1000; i++) /* more than one group */
        spt_sqlite_forget(submit(f, f->insert));
    assert_int_equal(spt_sqlite_waiting(f->db), 1000);
    assert_int_equal(rows(f), 1000);
    assert_int_equal(spt_sqlite_waiting(f->db), 0);
}

static void test_a_change_is_undone(void **state)
{
    int32_t changed[3];
    struct fixture *f = *state;
    open_table(f, NULL, SPT_NS_PER_SECOND);
    struct spt_sqlite_request *request = new_request();
    add(f, request, f->insert);
    add(f, request, f->never);
    add(f, request, f->insert);
    spt_sqlite_submit(f->db, request, on_answer, f);
    run_until(f, f->answered + 1);
    assert_null(request->fault.code);
    assert_int_equal(request->changed.len, sizeof changed);
    memcpy(changed, request->changed.data, sizeof changed);
    for (int i = 0; i < 3; i++)
        assert_int_equal(changed[i], -1);
    spt_sqlite_request_free(request);
    assert_int_equal(rows(f), 0);
}

static void test_one_failure_does_not_touch_the_others(void **state)
{
    struct fixture *f = *state;
    open_table(f, NULL, SPT_NS_PER_SECOND);
    const int bad = spt_sqlite_add_statement(f->db, "INSERT INTO none VALUES (1)", 0, 0);
    struct spt_sqlite_request *first = submit(f, f->insert), *second = submit(f, bad),
                              *third = submit(f, f->insert);
    run_until(f, f->answered + 3);
    assert_null(first->fault.code);
    assert_string_equal(second->fault.code, "sql");
    assert_null(third->fault.code);
    spt_sqlite_request_free(first);
    spt_sqlite_request_free(second);
    spt_sqlite_request_free(third);
    assert_int_equal(rows(f), 2);
}

static void test_the_folder_of_the_program(void **state)
{
    char was[4096], path[sizeof((struct fixture *)NULL)->path];
    struct fixture *f = *state;
    assert_non_null(getcwd(was, sizeof was));
    memcpy(path, f->path, sizeof path);
    strcpy(f->path, "db");
    assert_int_equal(chdir(f->folder), 0);
    open_table(f, NULL, SPT_NS_PER_SECOND);
    assert_int_equal(chdir("/"), 0);
    const char *code = run(f, f->insert);
    const int64_t n = code ? 0 : rows(f);
    assert_int_equal(chdir(was), 0);
    memcpy(f->path, path, sizeof path);
    assert_null(code);
    assert_int_equal(n, 1);
    assert_int_equal(access(path, F_OK), 0);
}

static void test_a_forgotten_request(void **state)
{
    struct fixture *f = *state;
    open_table(f, NULL, SPT_NS_PER_SECOND);
    const unsigned answered = f->answered;
    for (int i = 0; i < 100; i++)
        spt_sqlite_forget(submit(f, f->insert));
    struct spt_sqlite_request *optional = new_request();
    add(f, optional, f->insert);
    optional->flags = SPT_SQLITE_OPTIONAL;
    spt_sqlite_submit(f->db, optional, NULL, NULL);
    assert_int_equal(rows(f), 100);
    assert_int_equal(f->answered, answered + 1);
}

/* --- the lock of a stranger --- */

/* A clock that moves when the thread sleeps. The stranger leaves the lock at an instant. */
static struct {
    sqlite3 *stranger;
    uint64_t now_ns, until_ns, longest_ns;
    unsigned naps;
} lock;

static uint64_t fake_now(void *ud)
{
    return lock.now_ns;
}

static void fake_nap(void *ud, uint64_t ns)
{
    lock.now_ns += ns;
    lock.naps++;
    if (ns > lock.longest_ns)
        lock.longest_ns = ns;
    if (lock.stranger && lock.now_ns >= lock.until_ns) {
        sqlite3_exec(lock.stranger, "ROLLBACK", NULL, NULL, NULL);
        sqlite3_close(lock.stranger);
        lock.stranger = NULL;
    }
}

static const struct spt_sqlite_clock fake_clock = {fake_now, fake_nap, NULL};

static void hold_lock(const struct fixture *f, uint64_t seconds)
{
    assert_int_equal(sqlite3_open(f->path, &lock.stranger), SQLITE_OK);
    assert_int_equal(sqlite3_exec(lock.stranger, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    lock.until_ns = lock.now_ns + seconds * SPT_NS_PER_SECOND;
}

/* A clock that holds the thread while it reads it. */
static struct {
    atomic_int calls; /* number of readings up to the one that is held */
    sem_t held, released;
} hold;

static uint64_t held_now(void *ud)
{
    if (atomic_fetch_sub(&hold.calls, 1) == 1) {
        sem_post(&hold.held);
        sem_wait(&hold.released);
    }
    return SPT_NS_PER_SECOND;
}

static const struct spt_sqlite_clock held_clock = {held_now, fake_nap, NULL};

static void test_a_request_without_a_waiter_does_not_join_a_group_that_runs(void **state)
{
    struct fixture *f = *state;
    sem_init(&hold.held, 0, 0);
    sem_init(&hold.released, 0, 0);
    open_table(f, &held_clock, SPT_NS_PER_SECOND);
    atomic_store(&hold.calls, 2); /* as the group begins, and as others may join it */
    spt_sqlite_forget(submit(f, f->insert));
    sem_wait(&hold.held);
    struct spt_sqlite_request *optional = new_request();
    add(f, optional, f->insert);
    optional->flags = SPT_SQLITE_OPTIONAL;
    spt_sqlite_submit(f->db, optional, NULL, NULL);
    spt_sqlite_forget(submit(f, f->insert));
    sem_post(&hold.released);
    assert_int_equal(rows(f), 2);
    assert_int_equal(spt_sqlite_waiting(f->db), 0);
}

static void test_a_lock_of_thirty_seconds(void **state)
{
    struct fixture *f = *state;
    memset(&lock, 0, sizeof lock);
    lock.now_ns = SPT_NS_PER_SECOND;
    open_table(f, &fake_clock, 60 * SPT_NS_PER_SECOND);
    const uint64_t began_ns = lock.now_ns;
    hold_lock(f, 30);
    assert_null(run(f, f->insert));
    assert_true(lock.now_ns - began_ns >= 30 * SPT_NS_PER_SECOND);
    assert_true(lock.naps > 1000);
    assert_true(lock.longest_ns < 50 * SPT_NS_PER_MS);
    assert_int_equal(rows(f), 1);
}

static void test_a_lock_that_lasts_longer_than_the_patience(void **state)
{
    struct fixture *f = *state;
    memset(&lock, 0, sizeof lock);
    lock.now_ns = SPT_NS_PER_SECOND;
    open_table(f, &fake_clock, 60 * SPT_NS_PER_SECOND);
    const uint64_t began_ns = lock.now_ns;
    hold_lock(f, 100);
    assert_string_equal(run(f, f->insert), "locked");
    assert_true(lock.now_ns - began_ns >= 60 * SPT_NS_PER_SECOND);
    assert_true(lock.now_ns - began_ns < 61 * SPT_NS_PER_SECOND);
    assert_null(run(f, f->insert)); /* with all the patience again */
    assert_int_equal(rows(f), 1);
}

/* --- the end --- */

static void test_the_end_does_what_is_queued(void **state)
{
    struct fixture *f = *state;
    open_table(f, NULL, SPT_NS_PER_SECOND);
    for (int i = 0; i < 2000; i++)
        spt_sqlite_forget(submit(f, f->insert));
    spt_sqlite_end(f->db);
    open_with(f, NULL, SPT_NS_PER_SECOND);
    assert_int_equal(rows(f), 2000);
}

static void test_close_and_then_the_end(void **state)
{
    struct fixture *f = *state;
    open_table(f, NULL, SPT_NS_PER_SECOND);
    spt_sqlite_forget(submit(f, f->insert));
    spt_sqlite_close(f->db, on_answer, f);
    spt_sqlite_end(f->db);
    open_with(f, NULL, SPT_NS_PER_SECOND);
    assert_int_equal(rows(f), 1);
    spt_sqlite_close(f->db, on_answer, f);
    run_until(f, f->answered + 1);
    f->db = NULL;
}

static void test_a_forked_process_leaves_it_alone(void **state)
{
    int status;
    struct fixture *f = *state;
    open_table(f, NULL, SPT_NS_PER_SECOND);
    pid_t pid = fork();
    if (pid == 0) {
        spt_sqlite_end(f->db);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_null(run(f, f->insert));
    assert_int_equal(rows(f), 1);
}

/* --- faults --- */

static void test_no_memory(void **state)
{
    struct fixture *f = *state;
    open_table(f, NULL, SPT_NS_PER_SECOND);
    const int large =
        spt_sqlite_add_statement(f->db, "INSERT INTO t VALUES (randomblob(60000000))", 0, 0);
    const sqlite3_int64 before = sqlite3_hard_heap_limit64(4 << 20);
    const char *code = run(f, large);
    sqlite3_hard_heap_limit64(before);
    assert_string_equal(code, "memory");
    assert_null(run(f, f->insert));
    assert_int_equal(rows(f), 1);
}

static bool no_thread;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *ud);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *ud);

/* Takes the place of pthread_create() for the library. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *ud)
{
    return no_thread ? EAGAIN : __real_pthread_create(thread, attr, fn, ud);
}

static void test_no_thread(void **state)
{
    struct fixture *f = *state;
    const struct spt_sqlite_options options = {.path = f->path, .cache_kib = 256};
    no_thread = true;
    struct spt_sqlite *db = spt_sqlite_open(f->loop, &options, on_answer, f);
    no_thread = false;
    assert_null(db);
    spt_loop_run_once(f->loop, false);
    assert_int_equal(f->answered, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_requests),
        TEST(test_a_change_is_undone),
        TEST(test_one_failure_does_not_touch_the_others),
        TEST(test_the_folder_of_the_program),
        TEST(test_a_forgotten_request),
        TEST(test_a_request_without_a_waiter_does_not_join_a_group_that_runs),
        TEST(test_a_lock_of_thirty_seconds),
        TEST(test_a_lock_that_lasts_longer_than_the_patience),
        TEST(test_the_end_does_what_is_queued),
        TEST(test_close_and_then_the_end),
        TEST(test_a_forked_process_leaves_it_alone),
        TEST(test_no_memory),
        TEST(test_no_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
