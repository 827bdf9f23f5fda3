/* SPDX-License-Identifier: MIT */
/* A host that ends, on a loop of its own and on an embedder's, after few turns or many, while its
 * requests are wherever they are by then: queued, looked up, connecting, in the handshake, sending,
 * waiting, receiving, paused, saved, idle. */
#include "support/host_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { TURNS = 40 }; /* of the loop: by the last of them each request is where it stays */

/* --- servers that never answer --- */

static struct {
    int tcp, full, udp;
} servers;

static int bound(int type)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin_port);
}

static int setup(void **state)
{
    servers.tcp = bound(SOCK_STREAM);
    servers.full = bound(SOCK_STREAM);
    servers.udp = bound(SOCK_DGRAM);
    assert_int_equal(listen(servers.tcp, 64), 0);
    return listen(servers.full, 0);
}

static int teardown(void **state)
{
    close(servers.tcp);
    close(servers.full);
    close(servers.udp);
    return 0;
}

static void set_port(lua_State *L, const char *name, int fd)
{
    lua_pushinteger(L, port_of(fd));
    lua_setglobal(L, name);
}

/* --- the host --- */

static septet_host *host_with_requests(uv_loop_t *loop, struct reports *reports, const char *folder)
{
    septet_config config = config_for(reports);
    config.loop = loop;
    config.slow_ms = 0;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    lua_State *L = septet_lua(host);
    set_origin(L);
    set_port(L, "tcp", servers.tcp);
    set_port(L, "full", servers.full);
    set_port(L, "udp", servers.udp);
    lua_pushstring(L, folder);
    lua_setglobal(L, "folder");
    assert_file_loads(host, "faults/stop.lua");
    return host;
}

static void remove_files(const char *folder)
{
    char path[128];
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%.60s", folder, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(folder);
}

static void warm_up(void)
{
    struct reports reports;
    septet_host *host = new_host(&reports);
    set_origin(septet_lua(host));
    assert_runs(host, PRELUDE "http.get(origin .. '/bytes/1')");
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* Ends a host after few turns or many, on `loop` or, where that is NULL, on one of its own. */
static long end_after(int turns, uv_loop_t *loop, const char *folder)
{
    struct reports reports;
    septet_host *host = host_with_requests(loop, &reports, folder);
    for (int i = 0; i < turns; i++) {
        usleep(200); /* what is sent meanwhile is there */
        if (loop)
            uv_run(loop, UV_RUN_NOWAIT);
        else
            septet_step(host, 1000);
    }
    long paused = global(septet_lua(host), "paused");
    assert_int_equal(septet_free(host), SEPTET_OK); /* it takes the census of its own loop */
    assert_silent(&reports);
    return paused;
}

static void end_in_every_phase(bool embedded)
{
    char folder[] = "/tmp/septet-stop-XXXXXX";
    long paused = 0;
    assert_non_null(mkdtemp(folder));
    warm_up();
    int before = count_descriptors();
    for (int turns = 1; turns <= TURNS || !paused; turns += 1 + turns / 8) {
        uv_loop_t loop;
        if (embedded)
            assert_int_equal(uv_loop_init(&loop), 0);
        paused = end_after(turns, embedded ? &loop : NULL, folder);
        if (embedded) {
            assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
            assert_int_equal(uv_loop_close(&loop), 0);
        }
        assert_int_equal(count_descriptors(), before);
    }
    remove_files(folder);
}

static void test_http_24_a_host_ends_with_requests_in_every_phase(void **state)
{
    end_in_every_phase(false);
}

static void test_http_24_a_host_on_an_embedders_loop_ends_with_requests_in_every_phase(void **state)
{
    end_in_every_phase(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_http_24_a_host_ends_with_requests_in_every_phase,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_http_24_a_host_on_an_embedders_loop_ends_with_requests_in_every_phase, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
