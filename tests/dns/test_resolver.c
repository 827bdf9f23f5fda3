/* The resolver beside a scripted DNS server and a real one. Nothing is asserted inside a callback.
 * peers: dns dnsmasq */
#include <dlfcn.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/timer.h"
#include "loop/loop.h"
#include "dns/answer.h"
#include "dns/resolver.h"
#include "septet/septet.h"

#define HANG_NS  (UINT64_C(60) * 1000000000) /* longer than any test: only a hang gets there */
#define SECONDS  UINT64_C(1000000000)
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

enum { MANY = 5000, KEPT = 4096, WINDOW = 64 };

static struct rig {
    struct spt_loop *loop;
    struct spt_timers timers;
    struct spt_resolver *resolver;
    struct spt_lookup lookups[MANY];
    unsigned done;
    unsigned sockets_most;
    struct spt_timer watchdog;
    bool hung;
    void (*after_done)(struct spt_lookup *);
    char conf[64];
    char hosts[64]; /* stands in for the system's file of hosts */
} rig;

/* c-ares opens the file of hosts by this name. */
FILE *fopen(const char *path, const char *mode);
FILE *fopen(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "fopen");
    return real(rig.hosts[0] && strcmp(path, "/etc/hosts") == 0 ? rig.hosts : path, mode);
}

static uint64_t drain(void *ud)
{
    do
        spt_timers_expire(&rig.timers, spt_loop_now(rig.loop));
    while (rig.resolver && spt_resolver_drain(rig.resolver));
    if (rig.resolver) {
        struct spt_resolver_count count = spt_resolver_count(rig.resolver);
        if (count.sockets > rig.sockets_most)
            rig.sockets_most = count.sockets;
        if (spt_resolver_due(rig.resolver) == 0)
            return SPT_LOOP_NOW;
    }
    return spt_timers_next(&rig.timers);
}

static void on_done(struct spt_lookup *lookup)
{
    rig.done++;
    if (rig.after_done)
        rig.after_done(lookup);
}

static unsigned timeout_ms; /* 0: the usual */

static void open_resolver(const char *servers, const char *conf)
{
    struct spt_resolver_config config = {
        .servers = servers, .resolv_conf = conf, .timeout_ms = timeout_ms};
    assert_int_equal(spt_resolver_new(&rig.resolver, rig.loop, &rig.timers, &config), SEPTET_OK);
}

static void close_resolver(void)
{
    for (unsigned i = 0; i < MANY; i++)
        spt_resolver_cancel(&rig.lookups[i]);
    if (rig.resolver)
        spt_resolver_free(rig.resolver);
    rig.resolver = NULL;
}

static void open_impatient(void)
{
    close_resolver();
    timeout_ms = 300;
    open_resolver(getenv("SEPTET_DNS"), NULL);
    timeout_ms = 0;
}

static int setup(void **state)
{
    memset(&rig, 0, sizeof rig);
    spt_timers_init(&rig.timers);
    for (unsigned i = 0; i < MANY; i++)
        spt_resolver_init_lookup(&rig.lookups[i], on_done);
    assert_int_equal(spt_loop_new(&rig.loop, NULL, drain, NULL), SEPTET_OK);
    assert_non_null(getenv("SEPTET_DNS"));
    open_resolver(getenv("SEPTET_DNS"), NULL);
    return 0;
}

/* The census: no socket, no timer, no handle on the loop. */
static int teardown(void **state)
{
    spt_timer_stop(&rig.timers, &rig.watchdog);
    close_resolver();
    int bad = spt_timers_next(&rig.timers) != SPT_NEVER;
    bad += spt_loop_free(rig.loop) != SEPTET_OK;
    if (rig.conf[0])
        unlink(rig.conf);
    if (rig.hosts[0])
        unlink(rig.hosts);
    if (bad)
        fprintf(stderr, "census: something is left behind\n");
    return bad;
}

static void on_hang(struct spt_timer *t)
{
    rig.hung = true;
}

static void turn_until_done(unsigned n)
{
    rig.hung = false;
    spt_timer_start(&rig.timers, &rig.watchdog, spt_loop_now(rig.loop) + HANG_NS, on_hang);
    while (rig.done < n && !rig.hung)
        spt_loop_run_once(rig.loop, true);
    spt_timer_stop(&rig.timers, &rig.watchdog);
    if (rig.hung)
        fail_msg("it hangs");
}

static struct spt_lookup *start(unsigned i, const char *host)
{
    if (spt_resolver_start(rig.resolver, &rig.lookups[i], host))
        fail_msg("'%s' was answered at once", host);
    return &rig.lookups[i];
}

/* Asks, and waits where the answer is not there at once. */
static struct spt_lookup *resolve(const char *host)
{
    struct spt_lookup *lookup = &rig.lookups[0];
    rig.done = 0;
    if (!spt_resolver_start(rig.resolver, lookup, host))
        turn_until_done(1);
    assert_null(lookup->name);
    assert_true(!lookup->answer != !lookup->failure);
    return lookup;
}

static void assert_addresses(const char *host, const char *addresses)
{
    struct spt_lookup *lookup = resolve(host);
    if (!lookup->answer)
        fail_msg("'%s': %s", host, lookup->text);
    assert_string_equal(lookup->answer->addresses, addresses);
}

static void assert_failure(const char *host, const char *word)
{
    struct spt_lookup *lookup = resolve(host);
    if (!lookup->failure)
        fail_msg("'%s' is %s", host, lookup->answer->addresses);
    assert_string_equal(lookup->failure, word);
    assert_true(strlen(lookup->text) > 0);
}

static uint64_t asked(void)
{
    return spt_resolver_count(rig.resolver).asked;
}

/* How many lines of the server's log hold both. */
static unsigned logged(const char *name, const char *what)
{
    char line[1024];
    unsigned n = 0;
    FILE *log = fopen(getenv("SEPTET_DNS_LOG"), "r");
    assert_non_null(log);
    while (fgets(line, sizeof line, log))
        n += strstr(line, name) && strstr(line, what);
    fclose(log);
    return n;
}

static unsigned threads(void)
{
    char line[256];
    unsigned n = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        sscanf(line, "Threads: %u", &n);
    fclose(status);
    return n;
}

static void write_file(char path[64], const char *text)
{
    if (!path[0]) {
        strcpy(path, "/tmp/septet-resolver-XXXXXX");
        close(mkstemp(path));
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void pass(uint64_t ns)
{
    spt_loop_clock_advance(rig.loop, spt_loop_now(rig.loop) + ns);
}

/* --- answers --- */

static void test_addresses_of_both_families(void **state)
{
    assert_addresses("a-127-0-0-1.one.test", "127.0.0.1");
    assert_addresses("aaaa---1.one.test", "[::1]");
    const char *both = resolve("a-127-0-0-1.aaaa---1.both.test")->answer->addresses;
    assert_true(strcmp(both, "[::1],127.0.0.1") == 0 || strcmp(both, "127.0.0.1,[::1]") == 0);
}

static void test_a_name_is_asked_for_once(void **state)
{
    for (unsigned i = 0; i < 100; i++)
        start(i, i % 2 ? "Late-50.A-127-0-0-1.Once.test" : "late-50.a-127-0-0-1.once.test");
    turn_until_done(100);
    for (unsigned i = 0; i < 100; i++)
        assert_string_equal(rig.lookups[i].answer->addresses, "127.0.0.1");
    assert_int_equal(asked(), 1);
    assert_int_equal(logged("once.test", "\"A\""), 1);
    assert_int_equal(logged("once.test", "\"AAAA\""), 1);
    assert_ptr_equal(rig.lookups[0].answer, rig.lookups[99].answer);
}

static void test_the_ttl_says_how_long_an_answer_is_kept(void **state)
{
    spt_loop_make_virtual(rig.loop);
    assert_addresses("rebind.ttl-5.kept.test", "127.0.0.1");
    unsigned generation = rig.lookups[0].answer->generation;
    pass(4 * SECONDS);
    assert_true(spt_resolver_start(rig.resolver, &rig.lookups[1], "rebind.ttl-5.kept.test"));
    assert_int_equal(rig.lookups[1].answer->generation, generation);
    pass(2 * SECONDS);
    assert_addresses("rebind.ttl-5.kept.test", "127.0.0.2");
    assert_int_not_equal(rig.lookups[0].answer->generation, generation);
    assert_string_equal(rig.lookups[1].answer->addresses,
                        "127.0.0.1"); /* whoever has it keeps it */
    assert_int_equal(asked(), 2);
}

static void test_a_ttl_is_a_second_at_least_and_300_at_most(void **state)
{
    spt_loop_make_virtual(rig.loop);
    assert_addresses("rebind.ttl-0.short.test", "127.0.0.1");
    assert_addresses("rebind.ttl-0.short.test", "127.0.0.1");
    pass(SECONDS);
    assert_addresses("rebind.ttl-0.short.test", "127.0.0.2");
    assert_addresses("rebind.ttl-90000.long.test", "127.0.0.1");
    pass(299 * SECONDS);
    assert_addresses("rebind.ttl-90000.long.test", "127.0.0.1");
    pass(SECONDS);
    assert_addresses("rebind.ttl-90000.long.test", "127.0.0.2");
}

static void test_an_alias_is_followed(void **state)
{
    spt_loop_make_virtual(rig.loop);
    assert_addresses("ttl-2.cname.ttl-60.rebind.alias.test", "127.0.0.1");
    pass(3 * SECONDS);
    assert_addresses("ttl-2.cname.ttl-60.rebind.alias.test", "127.0.0.2");
}

static void test_what_is_cut_short_comes_by_tcp(void **state)
{
    assert_addresses("tc.a-127-0-0-1.cut.test", "127.0.0.1");
    assert_true(logged("cut.test", "tcp") > 0);
}

static void test_one_family_is_enough(void **state)
{
    open_impatient();
    assert_addresses("a-127-0-0-1.only6-servfail.half.test", "127.0.0.1");
    assert_addresses("a-127-0-0-1.only6-silent.half.test", "127.0.0.1");
}

/* --- failures --- */

static void test_what_is_not_found(void **state)
{
    assert_failure("nx.test", "not_found");
    assert_failure("empty.test", "not_found");
    assert_failure("nx.test.", "not_found");
    assert_failure("a..test", "not_found");
    assert_failure("", "not_found");
    char host[400];
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = 0;
    assert_failure(host, "not_found");
}

static void test_that_a_name_is_not_there_is_kept_for_a_second(void **state)
{
    spt_loop_make_virtual(rig.loop);
    assert_failure("nx.again.test", "not_found");
    assert_failure("nx.again.test", "not_found");
    assert_int_equal(asked(), 1);
    pass(SECONDS);
    assert_failure("nx.again.test", "not_found");
    assert_int_equal(asked(), 2);
}

static void test_a_server_that_fails(void **state)
{
    assert_failure("servfail.test", "server");
    assert_failure("refused.test", "server");
    assert_failure("servfail.test", "server");
    assert_int_equal(asked(), 3); /* not kept */
}

/* Some versions drop what they cannot read, and wait on. */
static void test_an_answer_that_cannot_be_read(void **state)
{
    open_impatient();
    struct spt_lookup *lookup = resolve("garbage.test");
    assert_non_null(lookup->failure);
    assert_true(strcmp(lookup->failure, "server") == 0 || strcmp(lookup->failure, "timeout") == 0);
}

static void test_a_server_that_never_answers(void **state)
{
    open_impatient();
    uint64_t began_ns = spt_loop_now(rig.loop);
    assert_failure("silent.test", "timeout");
    assert_true(spt_loop_now(rig.loop) - began_ns >= SECONDS * 3 / 10);
    assert_true(logged("silent.test", "\"A\"") >= 2);
}

/* A port on which nobody listens: bound by TCP, so that it stays free. */
static int bound(int type, char text[32])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(text, 32, "127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

static void test_a_server_that_is_not_there(void **state)
{
    char servers[32];
    int fd = bound(SOCK_STREAM, servers);
    close_resolver();
    open_resolver(servers, NULL);
    assert_failure("a-127-0-0-1.test", "refused");
    close(fd);
}

static void test_the_next_server_is_asked(void **state)
{
    char servers[80], nobody[32];
    int fd = bound(SOCK_STREAM, nobody);
    snprintf(servers, sizeof servers, "%s,%s", nobody, getenv("SEPTET_DNS"));
    close_resolver();
    /* c-ares 1.18 may take the refusal of one query for that of another, and waits. */
    timeout_ms = 300;
    open_resolver(servers, NULL);
    timeout_ms = 0;
    assert_addresses("a-127-0-0-1.next.test", "127.0.0.1");
    close(fd);
}

static void test_servers_that_cannot_be_read(void **state)
{
    close_resolver();
    open_resolver("no server", NULL);
    assert_non_null(resolve("a-127-0-0-1.test")->failure);
}

/* --- what needs no asking --- */

static void test_literals_and_loopback_names(void **state)
{
    assert_addresses("127.0.0.1", "127.0.0.1");
    assert_addresses("::1", "[::1]");
    assert_addresses("[::1]", "[::1]");
    assert_addresses("localhost", "[::1],127.0.0.1");
    assert_addresses("LocalHost.", "[::1],127.0.0.1");
    assert_addresses("a.b.localhost", "[::1],127.0.0.1");
    assert_int_equal(rig.lookups[0].answer->generation, 0);
    assert_failure("notlocalhost", "not_found");
    assert_int_equal(asked(), 1);
}

static void test_the_file_of_hosts(void **state)
{
    write_file(rig.hosts, "127.0.0.8 from-hosts.test short\n");
    assert_true(spt_resolver_start(rig.resolver, &rig.lookups[0], "from-hosts.test"));
    assert_string_equal(rig.lookups[0].answer->addresses, "127.0.0.8");
    assert_addresses("SHORT", "127.0.0.8");
    assert_int_equal(logged("from-hosts", ""), 0);
}

/* --- the configuration --- */

static void test_search_domains(void **state)
{
    write_file(rig.conf, "search nx.test a-127-0-0-3.test\noptions ndots:1\n");
    close_resolver();
    open_resolver(getenv("SEPTET_DNS"), rig.conf);
    assert_addresses("single", "127.0.0.3");
    assert_failure("single.", "not_found");
    assert_addresses("a-127-0-0-4.dotted", "127.0.0.4");
}

static void test_a_changed_file_is_read_anew(void **state)
{
    write_file(rig.conf, "search a-127-0-0-1.test\n");
    close_resolver();
    spt_loop_make_virtual(rig.loop);
    open_resolver(getenv("SEPTET_DNS"), rig.conf);
    assert_addresses("first", "127.0.0.1");
    write_file(rig.conf, "search a-127-0-0-22.test\n");
    pass(2 * SECONDS);
    assert_addresses("second", "127.0.0.22");
}

static void test_a_query_in_flight_outlives_a_changed_file(void **state)
{
    write_file(rig.conf, "search a-127-0-0-1.test\n");
    close_resolver();
    spt_loop_make_virtual(rig.loop);
    open_resolver(getenv("SEPTET_DNS"), rig.conf);
    struct spt_lookup *before = start(0, "late-100.a-127-0-0-5.reload.test");
    spt_loop_run_once(rig.loop, false);
    write_file(rig.conf, "search a-127-0-0-33.test\n");
    pass(2 * SECONDS);
    struct spt_lookup *after = start(1, "other");
    turn_until_done(2);
    assert_string_equal(before->answer->addresses, "127.0.0.5");
    assert_string_equal(after->answer->addresses, "127.0.0.33");
    assert_int_equal(asked(), 3);
}

static void test_a_changed_file_while_nobody_waits_for_the_name(void **state)
{
    write_file(rig.conf, "search a-127-0-0-1.test\n");
    close_resolver();
    spt_loop_make_virtual(rig.loop);
    open_resolver(getenv("SEPTET_DNS"), rig.conf);
    start(0, "silent.other.test"); /* keeps the queries going */
    spt_resolver_cancel(start(1, "late-50.a-127-0-0-6.left.test"));
    write_file(rig.conf, "search a-127-0-0-44.test\n");
    pass(2 * SECONDS);
    struct spt_lookup *again = start(1, "late-50.a-127-0-0-6.left.test");
    turn_until_done(1);
    assert_string_equal(again->answer->addresses, "127.0.0.6");
}

/* --- the end of waiting --- */

static void test_who_cancels_leaves_the_others_waiting(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        start(i, "late-50.a-127-0-0-1.cancel.test");
    spt_loop_run_once(rig.loop, false);
    spt_resolver_cancel(&rig.lookups[1]);
    start(3, "late-50.a-127-0-0-2.cancel.test");
    turn_until_done(3);
    assert_null(rig.lookups[1].answer);
    assert_string_equal(rig.lookups[2].answer->addresses, "127.0.0.1");
    assert_string_equal(rig.lookups[3].answer->addresses, "127.0.0.2");
}

static void test_nothing_is_left_when_nobody_waits(void **state)
{
    start(0, "silent.one.test");
    start(1, "silent.two.test");
    spt_loop_run_once(rig.loop, false);
    assert_int_equal(spt_resolver_count(rig.resolver).in_flight, 2);
    assert_true(spt_resolver_count(rig.resolver).sockets > 0);
    spt_resolver_cancel(&rig.lookups[0]);
    assert_int_equal(spt_resolver_count(rig.resolver).in_flight, 2);
    spt_resolver_cancel(&rig.lookups[1]);
    spt_loop_run_once(rig.loop, false);
    struct spt_resolver_count count = spt_resolver_count(rig.resolver);
    assert_int_equal(count.in_flight + count.waiting + count.sockets, 0);
    assert_int_equal(spt_timers_next(&rig.timers), SPT_NEVER);
    assert_int_equal(rig.done, 0);
}

static void test_free_lets_go_of_who_waits(void **state)
{
    for (unsigned i = 0; i < 200; i++) { /* some asked for, some queued */
        char host[64];
        snprintf(host, sizeof host, "silent.n%u.test", i);
        start(i, host);
    }
    spt_loop_run_once(rig.loop, false);
    spt_resolver_free(rig.resolver);
    rig.resolver = NULL;
    assert_null(rig.lookups[0].name);
    assert_null(rig.lookups[199].name);
    assert_int_equal(rig.done, 0);
}

static void cancel_next_and_ask_again(struct spt_lookup *lookup)
{
    if (lookup != &rig.lookups[0])
        return;
    spt_resolver_cancel(&rig.lookups[1]);
    spt_resolver_start(rig.resolver, &rig.lookups[0], "a-127-0-0-9.inside.test");
}

static void test_on_done_may_cancel_and_ask(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        start(i, "a-127-0-0-1.batch.test");
    rig.after_done = cancel_next_and_ask_again;
    turn_until_done(3);
    assert_string_equal(rig.lookups[0].answer->addresses, "127.0.0.9");
    assert_null(rig.lookups[1].answer);
    assert_string_equal(rig.lookups[2].answer->addresses, "127.0.0.1");
}

/* --- many --- */

static void test_thousands_of_names(void **state)
{
    unsigned before = threads();
    for (unsigned i = 0; i < MANY; i++) {
        char host[64];
        snprintf(host, sizeof host, "a-127-%u-%u-1.many.test", i / 250, i % 250);
        start(i, host);
    }
    assert_int_equal(spt_resolver_count(rig.resolver).waiting, MANY);
    turn_until_done(MANY);
    assert_int_equal(threads(), before);
    assert_true(rig.sockets_most > 0 && rig.sockets_most <= 2);
    for (unsigned i = 0; i < MANY; i++) {
        char address[32];
        snprintf(address, sizeof address, "127.%u.%u.1", i / 250, i % 250);
        assert_non_null(rig.lookups[i].answer);
        assert_string_equal(rig.lookups[i].answer->addresses, address);
    }
    assert_int_equal(asked(), MANY);
    assert_int_equal(spt_resolver_count(rig.resolver).known, KEPT);
}

static void test_silent_names_do_not_hold_up_the_others(void **state)
{
    for (unsigned i = 0; i < 1000; i++) {
        char host[64];
        snprintf(host, sizeof host, "silent.n%u.held.test", i);
        start(i, host);
    }
    start(1000, "a-127-0-0-1.held.test");
    turn_until_done(1);
    assert_non_null(rig.lookups[1000].answer);
    assert_int_equal(spt_resolver_count(rig.resolver).waiting, 1000);
}

/* Its turn comes when the others are slow, and not with the next timeout of a query. */
static void test_who_queues_behind_a_full_window_gets_a_turn(void **state)
{
    for (unsigned i = 0; i < WINDOW; i++) {
        char host[64];
        snprintf(host, sizeof host, "silent.n%u.full.test", i);
        start(i, host);
    }
    spt_loop_run_once(rig.loop, false);
    assert_int_equal(spt_resolver_due(rig.resolver), SPT_NEVER);
    start(WINDOW, "a-127-0-0-1.behind.test");
    assert_int_equal(spt_resolver_due(rig.resolver), 0);
    spt_loop_run_once(rig.loop, false);
    assert_int_equal(spt_resolver_due(rig.resolver), SPT_NEVER);
    assert_true(spt_timers_next(&rig.timers) <= spt_loop_now(rig.loop) + SECONDS / 4);
    turn_until_done(1);
    assert_string_equal(rig.lookups[WINDOW].answer->addresses, "127.0.0.1");
    assert_int_equal(spt_resolver_count(rig.resolver).waiting, WINDOW);
}

/* Thousands that never answer queue; the first of them have proved slow. */
static void test_who_asks_later_does_not_queue_behind_silent_names(void **state)
{
    for (unsigned i = 0; i < 1000; i++) {
        char host[64];
        snprintf(host, sizeof host, "silent.n%u.crowd.test", i);
        start(i, host);
    }
    while (spt_resolver_count(rig.resolver).in_flight <= WINDOW)
        spt_loop_run_once(rig.loop, true);
    unsigned before = spt_resolver_count(rig.resolver).in_flight;
    start(1000, "a-127-0-0-1.later.test");
    assert_int_equal(spt_resolver_count(rig.resolver).in_flight, before + 1);
    turn_until_done(1);
    assert_string_equal(rig.lookups[1000].answer->addresses, "127.0.0.1");
    assert_true(spt_resolver_count(rig.resolver).in_flight < 1000);
}

/* Also who has come with them is asked for when the first of them prove slow, and not after all of
 * them. */
static void test_the_last_of_a_crowd_is_not_the_last_to_be_asked_for(void **state)
{
    for (unsigned i = 0; i < 1000; i++) {
        char host[64];
        snprintf(host, sizeof host, "silent.n%u.last.test", i);
        start(i, host);
    }
    start(1000, "a-127-0-0-1.last.test");
    turn_until_done(1);
    assert_string_equal(rig.lookups[1000].answer->addresses, "127.0.0.1");
    assert_true(spt_resolver_count(rig.resolver).in_flight < 500);
}

/* --- a real peer --- */

static void test_dnsmasq(void **state)
{
    close_resolver();
    open_resolver(getenv("SEPTET_DNSMASQ"), NULL);
    const struct spt_lookup *peer = resolve("peer.test");
    assert_non_null(peer->answer);
    assert_non_null(strstr(peer->answer->addresses, "127.0.0.7"));
    assert_non_null(strstr(peer->answer->addresses, "[::1]"));
    assert_non_null(strstr(resolve("alias.peer.test")->answer->addresses, "127.0.0.7"));
    assert_failure("gone.test", "not_found");
    assert_failure("elsewhere.test", "server"); /* it has nobody to ask, and refuses */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_addresses_of_both_families),
        TEST(test_a_name_is_asked_for_once),
        TEST(test_the_ttl_says_how_long_an_answer_is_kept),
        TEST(test_a_ttl_is_a_second_at_least_and_300_at_most),
        TEST(test_an_alias_is_followed),
        TEST(test_what_is_cut_short_comes_by_tcp),
        TEST(test_one_family_is_enough),
        TEST(test_what_is_not_found),
        TEST(test_that_a_name_is_not_there_is_kept_for_a_second),
        TEST(test_a_server_that_fails),
        TEST(test_an_answer_that_cannot_be_read),
        TEST(test_a_server_that_never_answers),
        TEST(test_a_server_that_is_not_there),
        TEST(test_the_next_server_is_asked),
        TEST(test_servers_that_cannot_be_read),
        TEST(test_literals_and_loopback_names),
        TEST(test_the_file_of_hosts),
        TEST(test_search_domains),
        TEST(test_a_changed_file_is_read_anew),
        TEST(test_a_query_in_flight_outlives_a_changed_file),
        TEST(test_a_changed_file_while_nobody_waits_for_the_name),
        TEST(test_who_cancels_leaves_the_others_waiting),
        TEST(test_nothing_is_left_when_nobody_waits),
        TEST(test_free_lets_go_of_who_waits),
        TEST(test_on_done_may_cancel_and_ask),
        TEST(test_thousands_of_names),
        TEST(test_silent_names_do_not_hold_up_the_others),
        TEST(test_who_queues_behind_a_full_window_gets_a_turn),
        TEST(test_who_asks_later_does_not_queue_behind_silent_names),
        TEST(test_the_last_of_a_crowd_is_not_the_last_to_be_asked_for),
        TEST(test_dnsmasq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
