/* SPDX-License-Identifier: MIT */
/* Messages from other threads and from signal handlers. */
#include "support/host_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#define THREADS  4
#define MESSAGES 10000

static struct reports reports;

static int l_done(lua_State *L)
{
    *(bool *)lua_touserdata(L, lua_upvalueindex(1)) = true;
    return 0;
}

/* A message that counts. */
struct counted {
    septet_message message;
    struct sender *sender;
    int number;
};

/* A thread that posts `n` messages. What ran is counted on the host's thread. */
struct sender {
    pthread_t thread;
    septet_mailbox *mailbox;
    struct counted *messages;
    int n;
    int refused; /* number of posts that returned SEPTET_ECLOSED */
    int ran;     /* with a host */
    int left;    /* without */
    int disorder;
};

static void count(septet_message *message, septet_host *host)
{
    struct counted *counted = (struct counted *)message;
    struct sender *sender = counted->sender;
    sender->disorder += counted->number != sender->ran + sender->left;
    *(host ? &sender->ran : &sender->left) += 1;
}

static void *post_all(void *ud)
{
    struct sender *sender = ud;
    for (int i = 0; i < sender->n; i++) {
        sender->messages[i] = (struct counted){.message.run = count, .sender = sender, .number = i};
        sender->refused +=
            septet_post(sender->mailbox, &sender->messages[i].message) == SEPTET_ECLOSED;
    }
    septet_mailbox_release(sender->mailbox);
    return NULL;
}

static void start_sender(struct sender *sender, septet_host *host, int n)
{
    *sender = (struct sender){.mailbox = septet_mailbox_new(host), .n = n};
    sender->messages = calloc((size_t)n, sizeof *sender->messages);
    assert_non_null(sender->messages);
    assert_int_equal(pthread_create(&sender->thread, NULL, post_all, sender), 0);
}

static void end_sender(struct sender *sender)
{
    assert_int_equal(pthread_join(sender->thread, NULL), 0);
    free(sender->messages);
    assert_int_equal(sender->disorder, 0);
    assert_int_equal(sender->ran + sender->left + sender->refused, sender->n);
}

/* Steps the host until all messages have arrived, with tasks that take turns between them. */
static void receive_all(septet_host *host, struct sender *senders, int n)
{
    int ran;
    do {
        septet_step(host, 1000);
        ran = 0;
        for (int i = 0; i < n; i++)
            ran += senders[i].ran;
    } while (ran < n * MESSAGES);
}

static void test_e_1_messages_of_four_threads_arrive_in_order(void **state)
{
    struct sender senders[THREADS];
    septet_host *host = new_host(&reports);
    assert_loads(host, PRELUDE "while true do task.checkpoint() n = (n or 0) + 1 end");
    for (int i = 0; i < THREADS; i++)
        start_sender(&senders[i], host, MESSAGES);
    receive_all(host, senders, THREADS);
    for (int i = 0; i < THREADS; i++)
        end_sender(&senders[i]);
    assert_true(global(septet_lua(host), "n") > 0);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_e_1_a_host_ends_while_others_post(void **state)
{
    struct sender senders[THREADS];
    for (int round = 0; round < 20; round++) {
        septet_host *host = new_host(&reports);
        for (int i = 0; i < THREADS; i++)
            start_sender(&senders[i], host, 500);
        for (int i = 0; i < round; i++)
            septet_step(host, 100);
        assert_int_equal(septet_free(host), SEPTET_OK);
        for (int i = 0; i < THREADS; i++)
            end_sender(&senders[i]);
    }
}

/* --- four hosts on four threads --- */

struct station {
    pthread_t thread;
    septet_mailbox *mailbox; /* of its own host */
    struct station *all;
    atomic_bool ready, end;
    struct sender sender; /* to the next one's host */
    struct reports reports;
};

static void *run_station(void *ud)
{
    struct station *own = ud;
    struct station *next = own == &own->all[THREADS - 1] ? own->all : own + 1;
    septet_host *host = new_host(&own->reports);
    own->mailbox = septet_mailbox_new(host);
    own->ready = true;
    while (!next->ready)
        sched_yield();
    assert_loads(host, PRELUDE "for i = 1, 200 do task.sleep(0) end");
    own->sender.mailbox = next->mailbox;
    own->sender.n = MESSAGES / 10;
    own->sender.messages = calloc((size_t)own->sender.n, sizeof *own->sender.messages);
    for (int i = 0; i < own->sender.n; i++) {
        own->sender.messages[i] =
            (struct counted){.message.run = count, .sender = &own->sender, .number = i};
        assert_int_equal(septet_post(next->mailbox, &own->sender.messages[i].message), SEPTET_OK);
        septet_step(host, 10);
    }
    own->end = true;
    while (!own->all[0].end || !own->all[1].end || !own->all[2].end || !own->all[3].end)
        septet_step(host, 10);
    assert_int_equal(septet_free(host), SEPTET_OK);
    return NULL;
}

static void test_e_1_four_hosts_on_four_threads(void **state)
{
    static struct station stations[THREADS];
    for (int i = 0; i < THREADS; i++) {
        stations[i].all = stations;
        assert_int_equal(pthread_create(&stations[i].thread, NULL, run_station, &stations[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(stations[i].thread, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        const struct sender *sender = &stations[i].sender;
        assert_int_equal(sender->ran + sender->left, sender->n);
        assert_int_equal(sender->disorder, 0);
        septet_mailbox_release(stations[i].mailbox);
        free(sender->messages);
    }
}

/* --- handlers --- */

static struct sender from_handler;
static atomic_int posted;

static void on_signal(int number)
{
    int i = atomic_fetch_add(&posted, 1);
    if (i < from_handler.n)
        septet_post(from_handler.mailbox, &from_handler.messages[i].message);
}

static void test_e_1_posts_from_a_storm_of_signals(void **state)
{
    const struct itimerval often = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100}, off = {0};
    septet_host *host = new_host(&reports);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    posted = 0;
    from_handler = (struct sender){.mailbox = septet_mailbox_new(host), .n = 2000};
    from_handler.messages = calloc((size_t)from_handler.n, sizeof *from_handler.messages);
    for (int i = 0; i < from_handler.n; i++)
        from_handler.messages[i] =
            (struct counted){.message.run = count, .sender = &from_handler, .number = i};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_loads(host, PRELUDE "while true do local t = {} task.sleep(0) end");
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    while (from_handler.ran < from_handler.n)
        septet_step(host, 100);
    assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_int_equal(from_handler.disorder, 0);
    septet_mailbox_release(from_handler.mailbox);
    free(from_handler.messages);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

/* --- what a message may do, one thread --- */

static int runs;
static septet_mailbox *own_mailbox;

static void run_again(septet_message *message, septet_host *host)
{
    runs++;
    if (host)
        assert_int_equal(septet_post(own_mailbox, message), SEPTET_OK);
}

static void test_messages_that_post_do_not_starve_tasks(void **state)
{
    septet_message message = {.run = run_again};
    septet_host *host = new_host(&reports);
    runs = 0;
    own_mailbox = septet_mailbox_new(host);
    assert_int_equal(septet_post(own_mailbox, &message), SEPTET_OK);
    assert_runs(host, PRELUDE "for i = 1, 1000 do task.sleep(0) end");
    assert_true(runs > 0);
    assert_int_equal(septet_run(host), SEPTET_OK); /* no tasks: it does not wait for messages */
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(septet_post(own_mailbox, &message), SEPTET_ECLOSED);
    septet_mailbox_release(own_mailbox);
    assert_silent(&reports);
}

static void load_and_call(septet_message *message, septet_host *host)
{
    assert_loads(host, "loaded = true");
    assert_int_equal(septet_run(host), SEPTET_EBUSY);
    assert_int_equal(septet_step(host, 0), SEPTET_EBUSY);
    assert_int_equal(septet_free(host), SEPTET_EBUSY);
    lua_pushinteger(septet_lua(host), 7);
    lua_setglobal(septet_lua(host), "seven");
    lua_pushinteger(septet_lua(host), 8); /* left on the stack */
}

static void raise_error(septet_message *message, septet_host *host)
{
    luaL_error(septet_lua(host), "oops");
}

static void test_messages_use_lua_and_load(void **state)
{
    septet_message first = {.run = raise_error}, second = {.run = load_and_call};
    septet_host *host = new_host(&reports);
    septet_mailbox *mailbox = septet_mailbox_new(host);
    bool ended = false;
    lua_State *L = septet_lua(host);
    lua_pushlightuserdata(L, &ended);
    lua_pushcclosure(L, l_done, 1);
    lua_setglobal(L, "done");
    assert_int_equal(septet_post(mailbox, &first), SEPTET_OK);
    assert_int_equal(septet_post(mailbox, &second), SEPTET_OK);
    int top = lua_gettop(L);
    assert_int_equal(septet_run(host), SEPTET_OK);
    assert_int_equal(lua_gettop(L), top);
    assert_int_equal(global(L, "seven"), 7);
    lua_getglobal(L, "loaded");
    assert_true(lua_toboolean(L, -1));
    assert_int_equal(reports.warnings, 1);
    assert_text(reports.warned, "a message failed: oops");
    septet_mailbox_release(mailbox);
    assert_int_equal(septet_free(host), SEPTET_OK);
}

static void test_messages_that_are_left_run_without_a_host(void **state)
{
    struct sender sender = {.n = 1};
    struct counted counted = {.message.run = count, .sender = &sender};
    septet_host *host = new_host(&reports);
    septet_mailbox *mailbox = septet_mailbox_new(host);
    assert_ptr_equal(septet_mailbox_new(host), mailbox); /* another reference */
    septet_mailbox_release(mailbox);
    septet_mailbox_release(NULL);
    assert_int_equal(septet_post(mailbox, &counted.message), SEPTET_OK);
    assert_int_equal(septet_free(host), SEPTET_OK);
    assert_int_equal(sender.left, 1);
    assert_int_equal(septet_post(mailbox, &counted.message), SEPTET_ECLOSED);
    assert_int_equal(sender.left, 1);
    septet_mailbox_release(mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e_1_messages_of_four_threads_arrive_in_order),
        cmocka_unit_test(test_e_1_a_host_ends_while_others_post),
        cmocka_unit_test(test_e_1_four_hosts_on_four_threads),
        cmocka_unit_test(test_e_1_posts_from_a_storm_of_signals),
        cmocka_unit_test(test_messages_that_post_do_not_starve_tasks),
        cmocka_unit_test(test_messages_use_lua_and_load),
        cmocka_unit_test(test_messages_that_are_left_run_without_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
