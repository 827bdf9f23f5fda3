/* SPDX-License-Identifier: MIT */
/* The embedder's permission for the files that hash.file reads. */
#include "support/host_fixture.h"

static struct {
    char asked[1024]; /* the subjects, with a space between */
    char allowed[256];
} permit;

static int on_permit(void *ud, int what, const char *subject)
{
    size_t len = strlen(permit.asked);
    snprintf(permit.asked + len, sizeof permit.asked - len, "%s%s", len ? " " : "", subject);
    return what == SEPTET_PERMIT_READ && strcmp(subject, permit.allowed) == 0;
}

static void ask(septet_config *config)
{
    config->profile = SEPTET_PROFILE_STANDARD;
    config->permit = on_permit;
}

static void do_not_ask(septet_config *config)
{
    config->profile = SEPTET_PROFILE_STANDARD;
}

static int setup(void **state)
{
    memset(&permit, 0, sizeof permit);
    return host_fixture_setup_with(state, ask);
}

static int setup_without(void **state)
{
    return host_fixture_setup_with(state, do_not_ask);
}

#define HASH   "local hash, task = require 'septet.hash', require 'septet.task' "
#define DENIED "assert(not ok and task.is(e, 'IoError') and e.code == 'denied', tostring(e)) "

static void test_the_path_is_asked_about_as_the_script_wrote_it(void **state)
{
    struct host_fixture *f = *state;
    snprintf(permit.allowed, sizeof permit.allowed, "/etc/passwd");
    assert_runs(f->host, HASH "assert(#hash.file '/etc/passwd' == 64)");
    assert_string_equal(permit.asked, "/etc/passwd");
    permit.asked[0] = '\0';
    assert_runs(f->host, HASH "for _, other in ipairs { '/etc//passwd', '/etc/group', '' } do "
                              "local ok, e = pcall(hash.file, other) " DENIED "end");
    assert_non_null(strstr(permit.asked, "/etc//passwd /etc/group"));
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
        cmocka_unit_test_setup_teardown(test_the_path_is_asked_about_as_the_script_wrote_it, setup,
                                        host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_read_without_a_permission, setup_without,
                                        host_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_reads_no_file_needs_no_permission, setup_without,
                                        host_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
