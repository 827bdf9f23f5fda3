/* SPDX-License-Identifier: MIT */
/* The census at the end: no socket, no timer, no handle on the loop. */
#include "support/resolver_fixture.h"

#define HANG_NS (UINT64_C(60) * 1000000000) /* longer than any test: only a hang gets there */

struct resolver_fixture dns;

static uint64_t drain(void *ud)
{
    do
        spt_timer_expire(&dns.timers, spt_loop_now(dns.loop));
    while (dns.resolver && spt_resolver_pass(dns.resolver));
    if (dns.resolver) {
        struct spt_resolver_count count = spt_resolver_count(dns.resolver);
        if (count.sockets > dns.sockets_most)
            dns.sockets_most = count.sockets;
        if (spt_resolver_has_work(dns.resolver))
            return SPT_LOOP_NOW;
    }
    return spt_timer_next(&dns.timers);
}

static void on_done(struct spt_lookup *lookup)
{
    dns.done++;
    if (dns.after_done)
        dns.after_done(lookup);
}

void open_resolver(const char *servers, const char *conf, unsigned timeout_ms)
{
    struct spt_resolver_config config = {
        .servers = servers, .resolv_conf = conf, .timeout_ms = timeout_ms};
    assert_int_equal(spt_resolver_new(&dns.resolver, dns.loop, &dns.timers, &config), SEPTET_OK);
}

void close_resolver(void)
{
    for (unsigned i = 0; i < MANY; i++)
        spt_resolver_cancel(&dns.lookups[i]);
    if (dns.resolver)
        spt_resolver_free(dns.resolver);
    dns.resolver = NULL;
}

void open_impatient(const char *servers)
{
    close_resolver();
    open_resolver(servers, NULL, 300);
}

int resolver_fixture_setup(void **state)
{
    memset(&dns, 0, sizeof dns);
    spt_timer_init(&dns.timers);
    for (unsigned i = 0; i < MANY; i++)
        spt_resolver_init_lookup(&dns.lookups[i], on_done);
    assert_int_equal(spt_loop_new(&dns.loop, NULL, drain, NULL), SEPTET_OK);
    assert_non_null(getenv("SEPTET_DNS"));
    open_resolver(getenv("SEPTET_DNS"), NULL, 0);
    return 0;
}

int resolver_fixture_teardown(void **state)
{
    spt_timer_stop(&dns.timers, &dns.watchdog);
    close_resolver();
    int bad = spt_timer_next(&dns.timers) != SPT_NEVER;
    spt_loop_free(dns.loop);
    if (bad)
        fprintf(stderr, "census: something is left behind\n");
    return bad;
}

static void on_hang(struct spt_timer *t)
{
    dns.hung = true;
}

void turn_until_done(unsigned n)
{
    dns.hung = false;
    spt_timer_start(&dns.timers, &dns.watchdog, spt_loop_now(dns.loop) + HANG_NS, on_hang);
    while (dns.done < n && !dns.hung)
        spt_loop_run_once(dns.loop, true);
    spt_timer_stop(&dns.timers, &dns.watchdog);
    if (dns.hung)
        fail_msg("it hangs");
}

struct spt_lookup *ask(unsigned i, const char *host)
{
    if (spt_resolver_start(dns.resolver, &dns.lookups[i], host))
        fail_msg("'%s' was answered at once", host);
    return &dns.lookups[i];
}

struct spt_lookup *resolve(const char *host)
{
    struct spt_lookup *lookup = &dns.lookups[0];
    dns.done = 0;
    if (!spt_resolver_start(dns.resolver, lookup, host))
        turn_until_done(1);
    assert_null(lookup->name);
    assert_true(!lookup->answer != !lookup->failure);
    return lookup;
}

void assert_addresses(const char *host, const char *addresses)
{
    struct spt_lookup *lookup = resolve(host);
    if (!lookup->answer)
        fail_msg("'%s': %s", host, lookup->text);
    assert_string_equal(lookup->answer->addresses, addresses);
}

void assert_failure(const char *host, const char *word)
{
    struct spt_lookup *lookup = resolve(host);
    if (!lookup->failure)
        fail_msg("'%s' is %s", host, lookup->answer->addresses);
    assert_string_equal(lookup->failure, word);
    assert_true(strlen(lookup->text) > 0);
}

uint64_t asked(void)
{
    return spt_resolver_count(dns.resolver).asked;
}

unsigned count_logged(const char *name, const char *what)
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

void pass(uint64_t ns)
{
    spt_loop_clock_advance(dns.loop, spt_loop_now(dns.loop) + ns);
}
