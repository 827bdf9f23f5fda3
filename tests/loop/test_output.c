/* SPDX-License-Identifier: MIT */
/* Output: short writes and interruptions are not seen, an error stays, and a job outlives its
 * owner. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/timer.h"
#include "loop/loop.h"
#include "loop/output.h"
#include "septet/septet.h"
#include "support/cmocka.h"

/* --- a disk that does what a test wants: these stand in for the C library's --- */

static size_t most;         /* bytes that one write takes; 0: all */
static atomic_uint signals; /* calls that a signal interrupts */
static int sync_error;
static atomic_uint syncs;
static atomic_bool held;  /* a read or write waits while it is */
static atomic_bool begun; /* ... it has come that far */

static bool interrupted(void)
{
    if (signals == 0)
        return false;
    signals--;
    errno = EINTR;
    return true;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    begun = true;
    while (held)
        usleep(100);
    if (interrupted())
        return -1;
    return syscall(SYS_pwrite64, fd, bytes, most && n > most ? most : n, at);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    begun = true;
    while (held)
        usleep(100);
    return syscall(SYS_pread64, fd, to, n, at);
}

int fsync(int fd)
{
    if (interrupted())
        return -1;
    syncs++;
    errno = sync_error;
    return sync_error ? -1 : 0;
}

/* --- the rig --- */

static unsigned told;
static char folder[] = "/tmp/septet-output-XXXXXX";
static char path[64], target[64];

static uint64_t drain(void *ud)
{
    return SPT_NEVER;
}

static void on_told(void *ud)
{
    told++;
}

static struct spt_loop *new_loop(uv_loop_t *foreign)
{
    struct spt_loop *loop = NULL;
    assert_int_equal(spt_loop_new(&loop, foreign, drain, NULL), SEPTET_OK);
    return loop;
}

/* Turns the loop until what is awaited has been reported. */
static void turn(struct spt_loop *loop)
{
    unsigned before = told;
    while (told == before)
        spt_loop_run_once(loop, true);
    assert_int_equal(told, before + 1);
}

static struct spt_output *open_output(struct spt_loop *loop, const char *name, bool append)
{
    struct spt_output *out = NULL;
    assert_int_equal(
        spt_output_open(&out, loop, name, append ? SPT_DISK_FILE_APPEND : 0, on_told, NULL),
        SEPTET_OK);
    return out;
}

static struct spt_output *opened(struct spt_loop *loop, bool append)
{
    struct spt_output *out = open_output(loop, path, append);
    turn(loop);
    assert_int_equal(out->error, 0);
    assert_true(spt_output_keep_digest(out, EVP_sha256(), on_told, NULL));
    turn(loop);
    assert_int_equal(out->error, 0);
    return out;
}

static void write_all(struct spt_loop *loop, struct spt_output *out, const char *text)
{
    assert_true(spt_output_write(out, text, strlen(text), on_told, NULL));
    turn(loop);
}

static void assert_holds(const char *name, const char *text)
{
    char bytes[256] = {0};
    int fd = open(name, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, bytes, sizeof bytes - 1), strlen(text));
    assert_string_equal(bytes, text);
    close(fd);
}

static void assert_digest(const struct spt_output *out, const char *text)
{
    unsigned char got[EVP_MAX_MD_SIZE], expected[EVP_MAX_MD_SIZE];
    assert_int_equal(spt_output_digest(out, got), 32);
    assert_true(EVP_Digest(text, strlen(text), expected, NULL, EVP_sha256(), NULL));
    assert_memory_equal(got, expected, 32);
}

static int setup(void **state)
{
    most = 0;
    signals = syncs = 0;
    sync_error = 0;
    held = begun = false;
    unlink(path);
    unlink(target);
    return 0;
}

/* --- the tests --- */

static void test_a_short_write_is_continued_and_a_signal_is_not_seen(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    most = 3;
    struct spt_output *out = opened(loop, false);
    signals = 2;
    write_all(loop, out, "0123456789");
    assert_int_equal(signals, 0);
    assert_int_equal(out->error, 0);
    assert_int_equal(out->file.size, 10);
    assert_digest(out, "0123456789");
    assert_holds(path, "0123456789");
    signals = 1;
    assert_true(spt_output_sync(out, on_told, NULL));
    turn(loop);
    assert_int_equal(out->error, 0);
    assert_int_equal(syncs, 1);
    spt_output_free(out);
    spt_loop_free(loop);
}

static void test_what_is_appended_goes_behind_and_into_the_digest(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_output *out = opened(loop, false);
    write_all(loop, out, "abc");
    spt_output_close(out, on_told, NULL);
    turn(loop);
    spt_output_free(out);
    out = opened(loop, true);
    assert_int_equal(out->file.size, 3);
    write_all(loop, out, "def");
    assert_digest(out, "abcdef");
    assert_holds(path, "abcdef");
    assert_true(spt_output_truncate(out, on_told, NULL));
    turn(loop);
    assert_int_equal(out->file.size, 0);
    write_all(loop, out, "x");
    assert_digest(out, "x");
    assert_holds(path, "x");
    spt_output_free(out);
    spt_loop_free(loop);
}

static void test_a_digest_that_nobody_waits_for_ends_early(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_output *out = opened(loop, false);
    write_all(loop, out, "abc");
    held = true;
    begun = false;
    assert_true(spt_output_keep_digest(out, EVP_sha256(), on_told, NULL));
    while (!begun)
        usleep(100);
    spt_output_forget(out);
    spt_output_wait(out, on_told, NULL);
    held = false;
    turn(loop);
    assert_int_equal(out->error, UV_ECANCELED);
    spt_output_free(out);
    spt_loop_free(loop);
}

static void test_a_failed_sync_is_not_tried_again(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_output *out = opened(loop, false);
    write_all(loop, out, "new");
    sync_error = EIO;
    assert_true(spt_output_commit(out, target, on_told, NULL));
    turn(loop);
    assert_int_equal(out->error, UV_EIO);
    assert_string_equal(out->failed_step, "sync");
    assert_int_equal(access(target, F_OK), -1);
    sync_error = 0;
    assert_false(spt_output_commit(out, target, on_told, NULL));
    assert_false(spt_output_sync(out, on_told, NULL));
    assert_false(spt_output_write(out, "x", 1, on_told, NULL));
    assert_int_equal(syncs, 1);
    spt_output_unlink(out, on_told, NULL);
    turn(loop);
    assert_int_equal(access(path, F_OK), -1);
    assert_string_equal(out->failed_step, "sync"); /* the first error counts */
    spt_output_free(out);
    spt_loop_free(loop);
}

static void test_a_commit_syncs_renames_and_syncs_the_folder(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_output *out = opened(loop, false);
    write_all(loop, out, "new");
    assert_true(spt_output_commit(out, target, on_told, NULL));
    turn(loop);
    assert_int_equal(out->error, 0);
    assert_int_equal(syncs, 2);
    assert_holds(target, "new");
    assert_int_equal(access(path, F_OK), -1);
    spt_output_free(out);
    spt_loop_free(loop);
}

static void test_a_file_has_one_writer(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_output *out = opened(loop, false);
    write_all(loop, out, "first");
    struct spt_output *other = open_output(loop, path, false);
    turn(loop);
    assert_int_equal(other->error, UV_EBUSY);
    spt_output_free(other);
    assert_holds(path, "first");
    spt_output_close(out, on_told, NULL);
    turn(loop);
    other = opened(loop, false);
    assert_holds(path, "");
    spt_output_free(out);
    spt_output_free(other);
    spt_loop_free(loop);
}

static void test_a_write_that_nobody_waits_for_goes_on(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_output *out = opened(loop, false);
    char text[] = "bytes";
    held = true;
    assert_true(spt_output_write(out, text, 5, on_told, NULL));
    memset(text, 'x', 5); /* they are the caller's own */
    spt_output_forget(out);
    assert_true(spt_output_is_busy(out));
    spt_output_wait(out, on_told, NULL);
    held = false;
    turn(loop);
    assert_false(spt_output_is_busy(out));
    assert_holds(path, "bytes");
    spt_output_free(out);
    spt_loop_free(loop);
}

static void test_a_freed_one_is_locked_until_its_write_has_ended(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    struct spt_output *out = opened(loop, false);
    held = true;
    assert_true(spt_output_write(out, "late", 4, on_told, NULL));
    while (!begun)
        usleep(100);
    spt_output_free(out);
    struct spt_output *other = open_output(loop, path, false);
    turn(loop);
    assert_int_equal(other->error, UV_EBUSY);
    spt_output_free(other);
    held = false;
    spt_loop_free(loop);
    assert_holds(path, "late");
}

static void test_the_end_waits_for_jobs_in_the_pool(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    unsigned before = told;
    spt_output_free(open_output(loop, path, false));
    spt_output_free(open_output(loop, "/nowhere/at/all", false));
    spt_loop_free(loop);
    assert_int_equal(told, before);
}

static void test_on_a_foreign_loop_jobs_end_later(void **state)
{
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    struct spt_loop *loop = new_loop(&uv);
    struct spt_output *out = opened(loop, false);
    held = true;
    assert_true(spt_output_write(out, "late", 4, on_told, NULL));
    unsigned before = told;
    spt_output_free(out);
    spt_loop_free(loop);
    held = false;
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(told, before);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static void test_what_cannot_be_written_is_not_opened(void **state)
{
    struct spt_loop *loop = new_loop(NULL);
    const char *names[] = {"/nowhere/at/all", folder, "/dev/null"};
    const int errors[] = {UV_ENOENT, UV_EISDIR, UV_EINVAL};
    for (unsigned i = 0; i < 3; i++) {
        struct spt_output *out = open_output(loop, names[i], false);
        turn(loop);
        assert_int_equal(out->error, errors[i]);
        assert_string_equal(out->failed_step, "open");
        assert_false(spt_output_write(out, "x", 1, on_told, NULL));
        spt_output_free(out);
    }
    assert_int_equal(mkfifo(path, 0600), 0); /* that nobody reads */
    struct spt_output *out = open_output(loop, path, false);
    turn(loop);
    assert_int_equal(out->error, UV_EINVAL);
    spt_output_free(out);
    spt_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_short_write_is_continued_and_a_signal_is_not_seen, setup),
        cmocka_unit_test_setup(test_what_is_appended_goes_behind_and_into_the_digest, setup),
        cmocka_unit_test_setup(test_a_digest_that_nobody_waits_for_ends_early, setup),
        cmocka_unit_test_setup(test_a_failed_sync_is_not_tried_again, setup),
        cmocka_unit_test_setup(test_a_commit_syncs_renames_and_syncs_the_folder, setup),
        cmocka_unit_test_setup(test_a_file_has_one_writer, setup),
        cmocka_unit_test_setup(test_a_write_that_nobody_waits_for_goes_on, setup),
        cmocka_unit_test_setup(test_a_freed_one_is_locked_until_its_write_has_ended, setup),
        cmocka_unit_test_setup(test_the_end_waits_for_jobs_in_the_pool, setup),
        cmocka_unit_test_setup(test_on_a_foreign_loop_jobs_end_later, setup),
        cmocka_unit_test_setup(test_what_cannot_be_written_is_not_opened, setup),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/part", folder);
    snprintf(target, sizeof target, "%s/target", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    setup(NULL);
    rmdir(folder);
    return failed;
}
