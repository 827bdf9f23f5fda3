/* SPDX-License-Identifier: MIT */
/* The embedder's permission for the files that hash.file reads. */
#include "support/permit_fixture.h"

#define HASH   "local hash, task = require 'septet.hash', require 'septet.task' "
#define DENIED "assert(not ok and task.is(e, 'IoError') and e.code == 'denied', tostring(e)) "

static void test_the_path_is_asked_about_as_the_script_wrote_it(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, HASH "allow 'read /etc/passwd' assert(#hash.file '/etc/passwd' == 64) "
                              "assert_asked 'read /etc/passwd'");
    assert_runs(f->host, HASH "for _, other in ipairs { '/etc//passwd', '/etc/group', '' } do "
                              "local ok, e = pcall(hash.file, other) " DENIED "end "
                              "assert_asked('read /etc//passwd', 'read /etc/group', 'read ')");
    assert_silent(&f->reports);
}

static void test_nothing_is_read_without_a_permission(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, HASH "local ok, e = pcall(hash.file, '/etc/passwd') " DENIED
                              "ok, e = pcall(hash.file, '/etc/passwd', 'md5', 'raw') " DENIED
                              "ok, e = pcall(coroutine.wrap(hash.file), '/etc/passwd') " DENIED);
    assert_silent(&f->reports);
}

static void test_what_reads_no_file_needs_no_permission(void **state)
{
    struct host_fixture *f = *state;
    assert_runs(f->host, HASH "assert(hash.sha256 '' == hash.new 'sha256':hex()) "
                              "assert(#hash.random(4) == 4 and hash.equal('a', 'a'))");
    assert_silent(&f->reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PERMIT_TEST(the_path_is_asked_about_as_the_script_wrote_it, permit_setup_standard),
        PERMIT_TEST(nothing_is_read_without_a_permission, permit_setup_unasked),
        PERMIT_TEST(what_reads_no_file_needs_no_permission, permit_setup_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
