/* SPDX-License-Identifier: MIT */
/* The table of sockets on socket pairs and pipes: no libcurl anywhere near. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/timer.h"
#include "loop/loop.h"
#include "loop/pollers.h"
#include "septet/septet.h"
#include "support/cmocka.h"

static struct {
    struct spt_loop *loop;
    struct spt_pollers table;
    int pair[2];
    unsigned calls;
    int events;
    void *owner;
    bool close_inside;
} t;

static uint64_t drain(void *ud)
{
    spt_turn_budget_run_left(spt_loop_budget(t.loop));
    spt_pollers_apply(&t.table);
    return SPT_NEVER;
}

static bool is_idle(void *owner)
{
    return true;
}

static void on_ready(void *owner, int fd, int events)
{
    t.calls++;
    t.events = events;
    t.owner = owner;
    if (t.close_inside) {
        spt_pollers_close(&t.table, fd);
        close(fd);
    }
}

static int setup(void **state)
{
    memset(&t, 0, sizeof t);
    if (spt_loop_new(&t.loop, NULL, drain, NULL) != SEPTET_OK)
        return -1;
    spt_pollers_init(&t.table, t.loop, on_ready, is_idle);
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.pair);
}

static int teardown(void **state)
{
    spt_pollers_release(&t.table);
    close(t.pair[0]);
    close(t.pair[1]);
    spt_loop_free(t.loop);
    return 0;
}

static struct spt_poller *open_first(void)
{
    struct spt_poller *s = spt_pollers_open(&t.table, t.pair[0], &t);
    assert_non_null(s);
    assert_ptr_equal(spt_pollers_find(&t.table, t.pair[0]), s);
    return s;
}

static void want(int mask)
{
    assert_int_equal(spt_pollers_want(&t.table, t.pair[0], mask, &t), SEPTET_OK);
}

static void feed(const char *bytes)
{
    assert_int_equal(write(t.pair[1], bytes, strlen(bytes)), strlen(bytes));
}

static void turn(void)
{
    spt_loop_run_once(t.loop, false);
}

static void test_masks_are_applied_once_a_lap(void **state)
{
    struct spt_poller *s = open_first();
    want(UV_WRITABLE);
    want(UV_READABLE);
    assert_int_equal(s->armed_mask, 0);
    feed("x");
    turn();
    assert_int_equal(s->armed_mask, UV_READABLE);
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.events, UV_READABLE);
    assert_ptr_equal(t.owner, &t);
}

static void test_idle_socket_stays_watched_for_reading(void **state)
{
    struct spt_poller *s = open_first();
    want(UV_READABLE | UV_WRITABLE);
    turn();
    assert_int_equal(t.events, UV_WRITABLE);
    want(0);
    turn();
    assert_int_equal(s->armed_mask, UV_READABLE);
    t.calls = 0;
    turn();
    assert_int_equal(t.calls, 0); /* writable, and not reported */
}

static void test_end_of_an_idle_connection_is_noticed_once(void **state)
{
    struct spt_poller *s = open_first();
    want(UV_READABLE);
    turn();
    want(0);
    close(t.pair[1]);
    turn();
    turn();
    assert_int_equal(t.calls, 0);
    assert_int_equal(t.table.dropped, 1);
    assert_int_equal(s->armed_mask, 0);
    want(UV_READABLE); /* and the next owner sees it */
    turn();
    assert_int_equal(t.calls, 1);
    t.pair[1] = -1;
}

static void test_bytes_on_an_idle_connection_end_it(void **state)
{
    char byte;
    struct spt_poller *s = open_first();
    want(UV_READABLE);
    turn();
    want(0);
    feed("HTTP/1.1 200 OK");
    turn();
    assert_int_equal(t.calls, 0);
    assert_int_equal(t.table.dropped, 1);
    assert_int_equal(s->armed_mask, 0);
    assert_int_equal(read(t.pair[0], &byte, 1), 0); /* none is left for the next owner */
}

static void test_bytes_on_an_idle_connection_that_is_shared_are_left_there(void **state)
{
    char byte;
    struct spt_poller *s = open_first();
    s->shared = true;
    want(UV_READABLE);
    turn();
    want(0);
    feed("t");
    turn();
    assert_int_equal(t.calls, 0);
    assert_int_equal(t.table.dropped, 0);
    assert_int_equal(s->armed_mask, 0); /* or it would spin */
    assert_int_equal(read(t.pair[0], &byte, 1), 1);
}

/* Reads what its peer has, too, as libcurl does for a transfer whose timer has expired. */
static void serve_both(void *owner, int fd, int events)
{
    char byte;
    const int *fds = owner;
    t.calls++;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(fds[i], &byte, 1), 1);
        spt_pollers_want(&t.table, fds[i], 0, owner);
    }
}

static void test_event_that_came_too_late_leaves_an_idle_connection_watched(void **state)
{
    int other[2], fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other), 0);
    t.table.on_ready = serve_both;
    fds[0] = t.pair[0];
    fds[1] = other[0];
    for (int i = 0; i < 2; i++) {
        assert_non_null(spt_pollers_open(&t.table, fds[i], fds));
        spt_pollers_want(&t.table, fds[i], UV_READABLE, fds);
    }
    feed("x");
    assert_int_equal(write(other[1], "x", 1), 1);
    turn();
    assert_int_equal(t.calls, 1); /* both events were of one poll */
    assert_int_equal(t.table.dropped, 0);
    close(t.pair[1]);
    close(other[1]);
    turn();
    assert_int_equal(t.table.dropped, 2);
    spt_pollers_close(&t.table, other[0]);
    close(other[0]);
    t.pair[1] = -1;
}

static void test_socket_may_close_in_its_own_event(void **state)
{
    open_first();
    t.close_inside = true;
    want(UV_READABLE);
    feed("x");
    turn();
    turn();
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.table.count, 0);
    t.pair[0] = -1;
}

/* The number is closed behind the table's back, and comes back: libuv must not see it twice. */
static void test_stale_socket_of_the_same_number_is_dropped(void **state)
{
    struct spt_poller *s = open_first();
    uint32_t gen = s->generation;
    want(UV_READABLE);
    turn();
    int fd = t.pair[0], fresh[2];
    close(fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fresh), 0);
    assert_int_equal(fresh[0], fd);
    s = open_first();
    assert_int_not_equal(s->generation, gen);
    assert_int_equal(s->wanted_mask, UV_READABLE); /* libcurl may not know that it has changed */
    turn();
    assert_int_equal(write(fresh[1], "x", 1), 1);
    turn();
    assert_int_equal(t.calls, 1);
    close(fresh[1]);
}

/* Given up while it connects: it may be closed already, and its number another's. Arming a closed
 * one would abort the process, and stopping it later would take the other's watch away. */
static void test_socket_given_up_while_opening_is_dropped_at_once(void **state)
{
    struct spt_link attempts;
    spt_link_init(&attempts);
    struct spt_poller *s = open_first();
    spt_pollers_connecting(s, &t, &attempts);
    want(UV_WRITABLE);
    spt_pollers_apply(&t.table);
    close(t.pair[0]);
    want(0);
    assert_null(spt_pollers_find(&t.table, t.pair[0]));
    assert_true(spt_list_is_empty(&attempts));
    turn();
    turn();
    assert_int_equal(t.calls, 0);
    t.pair[0] = -1;
}

static void test_foreign_descriptor_is_watched_only_while_wanted(void **state)
{
    want(UV_READABLE);
    struct spt_poller *s = spt_pollers_find(&t.table, t.pair[0]);
    assert_false(s->owns_fd);
    assert_int_equal(s->armed_mask, UV_READABLE); /* at once */
    feed("x");
    turn();
    assert_int_equal(t.calls, 1);
    want(0);
    assert_null(spt_pollers_find(&t.table, t.pair[0]));
    want(0);
    turn();
    assert_int_equal(t.calls, 1);
}

static void test_foreign_descriptor_that_spins_is_let_go(void **state)
{
    want(UV_READABLE);
    feed("x"); /* and nobody reads it */
    for (int i = 0; i < 5000; i++)
        turn();
    assert_null(spt_pollers_find(&t.table, t.pair[0]));
    assert_true(t.calls < 2000);
}

static void test_error_event_arms_anew_and_gives_up_in_the_end(void **state)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    close(ends[0]); /* a pipe without a reader reports an error for ever */
    assert_non_null(spt_pollers_open(&t.table, ends[1], &t));
    assert_int_equal(spt_pollers_want(&t.table, ends[1], UV_READABLE, &t), SEPTET_OK);
    turn();
    assert_int_equal(t.events, SPT_POLLER_ERROR | UV_READABLE | UV_WRITABLE);
    turn();
    assert_true(t.calls >= 2);
    spt_pollers_close(&t.table, ends[1]);
    close(ends[1]);
}

static void test_sockets_of_one_owner_are_closed_together(void **state)
{
    int other;
    open_first();
    assert_non_null(spt_pollers_open(&t.table, t.pair[1], &other));
    spt_pollers_close_all(&t.table, &t);
    assert_null(spt_pollers_find(&t.table, t.pair[0]));
    assert_non_null(spt_pollers_find(&t.table, t.pair[1]));
    assert_int_equal(t.table.count, 1);
}

static void test_numbers_beyond_the_table_are_found_and_refused(void **state)
{
    assert_null(spt_pollers_find(&t.table, -1));
    assert_null(spt_pollers_find(&t.table, 1 << 20));
    int high = fcntl(t.pair[0], F_DUPFD_CLOEXEC, 700);
    assert_int_equal(high, 700);
    assert_non_null(spt_pollers_open(&t.table, high, &t));
    assert_non_null(spt_pollers_find(&t.table, high));
    spt_pollers_close(&t.table, high);
    close(high);
    assert_null(spt_pollers_open(&t.table, high, &t)); /* closed: libuv cannot watch it */
    assert_int_equal(t.table.count, 0);
}

/* --- the rest of a turn --- */

enum { BUSY = 4 }; /* sockets that are readable all the time */

static struct {
    int order[64]; /* which was served, in order */
    unsigned n;
} busy;

static void serve_one_a_turn(void *owner, int fd, int events)
{
    struct spt_turn_budget *budget = spt_loop_budget(t.loop);
    if (spt_turn_budget_is_spent(budget)) {
        spt_pollers_leave(&t.table, fd, events);
        return;
    }
    spt_turn_budget_take(budget, 1);
    if (busy.n < sizeof busy.order / sizeof *busy.order)
        busy.order[busy.n++] = *(int *)owner;
}

static void test_e_3_sockets_left_by_a_turn_come_first_in_the_next(void **state)
{
    int pairs[BUSY][2], numbers[BUSY];
    struct spt_turn_budget *budget = spt_loop_budget(t.loop);
    memset(&busy, 0, sizeof busy);
    t.table.on_ready = serve_one_a_turn;
    budget->bytes_max = 1;
    for (int i = 0; i < BUSY; i++) {
        numbers[i] = i;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
        assert_int_equal(write(pairs[i][1], "x", 1), 1);
        assert_non_null(spt_pollers_open(&t.table, pairs[i][0], &numbers[i]));
        spt_pollers_want(&t.table, pairs[i][0], UV_READABLE, &numbers[i]);
    }
    for (unsigned turns = 1; turns <= 3 * BUSY; turns++) {
        turn();
        assert_int_equal(busy.n, turns);
    }
    for (unsigned i = BUSY; i < 3 * BUSY; i++)
        assert_int_equal(busy.order[i], busy.order[i - BUSY]);
    for (int i = 1; i < BUSY; i++)
        assert_int_not_equal(busy.order[i], busy.order[0]);
    int next = busy.order[0]; /* what is no longer wanted is dropped */
    spt_pollers_want(&t.table, pairs[next][0], 0, &numbers[next]);
    spt_turn_budget_renew(budget);
    spt_turn_budget_run_left(budget);
    assert_int_equal(busy.order[busy.n - 1], busy.order[1]);
    assert_true(spt_turn_budget_has_left(budget));
    spt_pollers_close_all(&t.table, &numbers[busy.order[2]]);
    spt_pollers_release(&t.table); /* with sockets that were left */
    assert_false(spt_turn_budget_has_left(budget));
    spt_pollers_init(&t.table, t.loop, on_ready, is_idle);
    for (int i = 0; i < BUSY; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
}

static void test_e_3_foreign_descriptor_that_waits_for_its_turn_is_kept(void **state)
{
    int number = 7;
    struct spt_turn_budget *budget = spt_loop_budget(t.loop);
    memset(&busy, 0, sizeof busy);
    t.table.on_ready = serve_one_a_turn;
    budget->bytes_max = 0;
    feed("x");
    assert_int_equal(spt_pollers_want(&t.table, t.pair[0], UV_READABLE, &number), SEPTET_OK);
    for (int i = 0; i < 2000; i++) /* more than such a descriptor may be readable to no effect */
        turn();
    assert_int_equal(busy.n, 0);
    assert_non_null(spt_pollers_find(&t.table, t.pair[0]));
    budget->bytes_max = 1;
    turn();
    assert_int_equal(busy.n, 1);
    assert_int_equal(busy.order[0], 7);
    t.table.on_ready = on_ready;
}

/* An event is handled once its socket was served, not when the poll reported it: a timeout may not
 * strike a request that was left. */
static void test_e_3_polls_count_as_handled_once_nothing_of_them_is_left(void **state)
{
    struct spt_turn_budget *budget = spt_loop_budget(t.loop);
    struct spt_left_work work = {0};
    spt_link_init(&work.link);
    assert_int_equal(spt_turn_budget_polls_handled(budget, 5), 5);
    spt_turn_budget_leave(budget, &work, 5);
    spt_turn_budget_leave(budget, &work, 6); /* keeps its place */
    assert_int_equal(spt_turn_budget_polls_handled(budget, 7), 5);
    spt_link_remove(&work.link);
    assert_int_equal(spt_turn_budget_polls_handled(budget, 7), 7);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_masks_are_applied_once_a_lap),
        TEST(test_idle_socket_stays_watched_for_reading),
        TEST(test_end_of_an_idle_connection_is_noticed_once),
        TEST(test_bytes_on_an_idle_connection_end_it),
        TEST(test_bytes_on_an_idle_connection_that_is_shared_are_left_there),
        TEST(test_event_that_came_too_late_leaves_an_idle_connection_watched),
        TEST(test_socket_may_close_in_its_own_event),
        TEST(test_stale_socket_of_the_same_number_is_dropped),
        TEST(test_socket_given_up_while_opening_is_dropped_at_once),
        TEST(test_foreign_descriptor_is_watched_only_while_wanted),
        TEST(test_foreign_descriptor_that_spins_is_let_go),
        TEST(test_error_event_arms_anew_and_gives_up_in_the_end),
        TEST(test_sockets_of_one_owner_are_closed_together),
        TEST(test_numbers_beyond_the_table_are_found_and_refused),
        TEST(test_e_3_sockets_left_by_a_turn_come_first_in_the_next),
        TEST(test_e_3_foreign_descriptor_that_waits_for_its_turn_is_kept),
        TEST(test_e_3_polls_count_as_handled_once_nothing_of_them_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
