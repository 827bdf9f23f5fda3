/* Descriptors: numbers that come back at once as something else, and none that are left. */
#include "loop/rig.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int dead(int fd)
{
    return fcntl(fd, F_GETFD) < 0;
}

/* A loop of connecting and cancelling makes the same number come back at once. */
static void test_http_19_descriptor_numbers_come_back_at_once(void **state)
{
    (void)state;
    fetch_ok("/close", 200);
    uint32_t gens = rig.driver->sockets.gens;
    for (int i = 0; i < 100; i++) {
        struct fetch *f = get("/stall");
        reach(f, SPT_PHASE_WAITING);
        spt_request_cancel(&f->request);
        rig.started--;
        spt_request_release(&f->request);
        memset(f, 0, sizeof *f);
        fetch_ok("/close", 200);
        spt_request_release(&rig.fetches[--rig.started].request);
        memset(&rig.fetches[rig.started], 0, sizeof *f);
    }
    assert_int_equal(rig.driver->sockets.gens - gens, 200);
    assert_true(rig.driver->sockets.cap <= 64); /* and no other numbers were needed */
}

static int open_fd; /* by the thread pool */

static void on_open(uv_fs_t *req)
{
    open_fd = (int)req->result;
    uv_fs_req_cleanup(req);
}

static bool is_open(void *unused)
{
    (void)unused;
    return open_fd >= 0;
}

static void open_in_the_pool(uv_fs_t *req, const char *path)
{
    open_fd = -1;
    assert_int_equal(uv_fs_open(spt_loop_uv(rig.loop), req, path, O_RDONLY, 0, on_open), 0);
    turn_until(is_open, NULL);
}

/* The number of the only socket there is. */
static int only_socket(void)
{
    assert_int_equal(spt_driver_sockets(rig.driver), 1);
    for (int fd = 0;; fd++)
        if (spt_sockets_find(&rig.driver->sockets, fd))
            return fd;
}

static void assert_file_untouched(const char *text)
{
    char read_back[64] = {0};
    assert_false(dead(open_fd));
    assert_int_equal(pread(open_fd, read_back, sizeof read_back, 0), strlen(text));
    assert_string_equal(read_back, text);
    assert_null(spt_sockets_find(&rig.driver->sockets, open_fd));
}

static void test_http_19_a_file_of_the_thread_pool_takes_the_number_of_a_socket(void **state)
{
    char path[] = "/tmp/septet-descriptor-XXXXXX";
    uv_fs_t req;
    (void)state;
    int tmp = mkstemp(path);
    assert_int_equal(write(tmp, "a file", 6), 6);
    close(tmp);
    for (int i = 0; i < 20; i++) {
        struct fetch *f = get("/stall");
        reach(f, SPT_PHASE_WAITING);
        int fd = only_socket();
        spt_request_cancel(&f->request);
        open_in_the_pool(&req, path);
        assert_int_equal(open_fd, fd);
        fetch_ok("/close", 200);
        fetch_ok("/close", 200);
        assert_file_untouched("a file");
        close(open_fd);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_http_19_descriptor_numbers_come_back_at_once),
        TEST(test_http_19_a_file_of_the_thread_pool_takes_the_number_of_a_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
