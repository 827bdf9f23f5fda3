/* SPDX-License-Identifier: MIT */
/* Two lists under one lock: requests for the thread, and answered ones for the loop. The database
 * is freed when its handle has closed, after the thread was joined. */
#include "sqlite/database.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/time.h"
#include "loop/closing.h"
#include "loop/loop.h"
#include "sqlite/transaction.h"

enum {
    GROUP_CHANGES = 512, /* changes of one transaction */
    GROUP_MS = 5,        /* after so long, no request joins it */
    END_SECONDS = 5      /* how long a host that ends waits for what is queued */
};

/* What both threads use, under the lock. */
struct shared {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct spt_link queued;   /* requests */
    struct spt_link answered; /* requests */
    bool running;             /* the thread has not ended */
};

struct spt_sqlite {
    struct spt_loop *loop; /* borrowed */
    uv_async_t async;
    struct spt_stray stray;
    pthread_t thread;
    pid_t process; /* that has the thread */
    struct shared shared;
    struct spt_sqlite_connection connection; /* of the thread */
    uint64_t group_ns;                       /* of the thread: when it took the requests */
    struct spt_sqlite_statement statements[SPT_SQLITE_STATEMENTS_MAX];
    unsigned count;                               /* of them */
    struct spt_sqlite_request *opening, *closing; /* owned until they are answered */
    struct spt_sqlite_fault open_fault;
    size_t waiting; /* number of requests that are not answered */
    bool leaves;    /* the request that closes it is queued */
    bool ended;     /* the thread was joined */
};

/* --- the thread --- */

static struct spt_sqlite_request *first_of(const struct spt_link *list)
{
    return SPT_OF(list->next, struct spt_sqlite_request, link);
}

/* Takes the requests that come first and write, or those that do not, up to a number of changes. */
static void take_group(struct spt_sqlite *db, struct spt_link *group, unsigned *changes)
{
    struct spt_link *queued = &db->shared.queued;
    while (!spt_list_is_empty(queued) && *changes < GROUP_CHANGES) {
        struct spt_sqlite_request *next = first_of(queued);
        const bool empty = spt_list_is_empty(group);
        if (!empty && (next->closes || next->opens || next->writes != first_of(group)->writes))
            return;
        spt_link_remove(&next->link);
        spt_list_push(group, &next->link);
        *changes += next->changes;
        if (next->closes || next->opens)
            return;
    }
}

/* Moves the optional requests that nothing waits for out of the group. */
static void leave_out(struct spt_link *group, struct spt_link *out)
{
    struct spt_link *next;
    for (struct spt_link *l = group->next; l != group; l = next) {
        struct spt_sqlite_request *request = SPT_OF(l, struct spt_sqlite_request, link);
        next = l->next;
        if (request->flags & SPT_SQLITE_OPTIONAL && atomic_load(&request->abandoned)) {
            spt_link_remove(l);
            spt_list_push(out, l);
        }
    }
}

/* A group that runs, and the requests that were left out of it. */
struct run {
    struct spt_sqlite *db;
    struct spt_link out;
};

/* Returns true if others may join a group. Their commit is saved then, but the first ones wait for
 * them: no longer than for a commit. */
static bool may_be_joined(const struct spt_sqlite *db)
{
    const uint64_t ran_ns = spt_sqlite_connection_now(&db->connection) - db->group_ns;
    return ran_ns < GROUP_MS * SPT_NS_PER_MS && ran_ns < db->connection.commit_ns;
}

/* Takes the requests that have come while the thread ran the group, if they may join it. */
static void take_more(void *ud, struct spt_link *group, struct spt_link *more)
{
    struct run *run = ud;
    struct spt_sqlite *db = run->db;
    unsigned changes = 0;
    if (!may_be_joined(db))
        return;
    for (struct spt_link *l = group->next; l != group; l = l->next)
        changes += SPT_OF(l, struct spt_sqlite_request, link)->changes;
    pthread_mutex_lock(&db->shared.lock);
    const struct spt_link *queued = &db->shared.queued;
    if (!spt_list_is_empty(queued)) {
        const struct spt_sqlite_request *next = first_of(queued);
        if (!next->closes && next->writes && first_of(group)->writes)
            take_group(db, more, &changes);
    }
    pthread_mutex_unlock(&db->shared.lock);
    leave_out(more, &run->out);
}

static void answer(struct spt_sqlite *db, struct spt_link *group, bool running)
{
    pthread_mutex_lock(&db->shared.lock);
    spt_list_splice(&db->shared.answered, group);
    db->shared.running = running;
    pthread_mutex_unlock(&db->shared.lock);
    uv_async_send(&db->async);
}

static void run_group(struct spt_sqlite *db, struct spt_link *group)
{
    struct run run = {.db = db};
    const struct spt_sqlite_fault closed = {"closed", "it is closed"};
    spt_link_init(&run.out);
    leave_out(group, &run.out);
    db->group_ns = spt_sqlite_connection_now(&db->connection);
    if (!db->connection.db) {
        for (struct spt_link *l = group->next; l != group; l = l->next)
            SPT_OF(l, struct spt_sqlite_request, link)->fault = closed;
    } else if (!spt_list_is_empty(group)) {
        spt_sqlite_transaction_run(&db->connection, group, take_more, &run);
    }
    spt_list_splice(group, &run.out);
}

/* Waits for requests and takes the first group of them. */
static struct spt_sqlite_request *wait_for_group(struct spt_sqlite *db, struct spt_link *group)
{
    unsigned changes = 0;
    pthread_mutex_lock(&db->shared.lock);
    while (spt_list_is_empty(&db->shared.queued))
        pthread_cond_wait(&db->shared.wanted, &db->shared.lock);
    struct spt_sqlite_request *first = first_of(&db->shared.queued);
    take_group(db, group, &changes);
    pthread_mutex_unlock(&db->shared.lock);
    return first;
}

static void *run_thread(void *ud)
{
    struct spt_sqlite *db = ud;
    struct spt_link group;
    spt_link_init(&group);
    for (;;) {
        struct spt_sqlite_request *first = wait_for_group(db, &group);
        const bool closes = first->closes;
        if (first->opens)
            spt_sqlite_connection_open(&db->connection, &first->fault);
        else if (closes)
            spt_sqlite_connection_close(&db->connection);
        else
            run_group(db, &group);
        answer(db, &group, !closes);
        if (closes)
            return NULL;
    }
}

/* Starts the thread, which gets no signals: they are for the threads of the program. */
static int start_thread(struct spt_sqlite *db)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&db->thread, NULL, run_thread, db);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

/* --- the loop's thread --- */

static void on_closed(uv_handle_t *handle)
{
    struct spt_sqlite *db = SPT_OF(handle, struct spt_sqlite, async);
    struct spt_loop *loop = db->loop;
    for (unsigned i = 0; i < db->count; i++)
        free(db->statements[i].sql);
    free((char *)db->connection.options.path);
    pthread_mutex_destroy(&db->shared.lock);
    pthread_cond_destroy(&db->shared.wanted);
    free(db);
    spt_loop_handle_closed(loop);
}

static void close_handle(struct spt_sqlite *db)
{
    uv_handle_t *handle = (uv_handle_t *)&db->async;
    if (!spt_loop_close_handle(db->loop, &db->stray, handle, on_closed))
        on_closed(handle);
}

static void count_answer(struct spt_sqlite *db)
{
    if (--db->waiting == 0)
        spt_loop_unref(db->loop);
}

/* Hands an answered request to its waiter, or frees it. */
static void hand_over(struct spt_sqlite *db, struct spt_sqlite_request *request)
{
    const bool owned = request == db->opening || request == db->closing;
    spt_sqlite_fn *fn = request->fn;
    void *ud = request->ud;
    if (request == db->opening) {
        db->open_fault = request->fault;
        db->opening = NULL;
    }
    if (owned || !fn)
        spt_sqlite_request_free(request);
    count_answer(db);
    if (fn)
        fn(ud);
}

/* Takes the answered requests. Returns false once the thread has nothing more to answer. */
static bool take_answers(struct spt_sqlite *db, struct spt_link *list)
{
    spt_link_init(list);
    pthread_mutex_lock(&db->shared.lock);
    spt_list_splice(list, &db->shared.answered);
    const bool running = db->shared.running;
    pthread_mutex_unlock(&db->shared.lock);
    return running;
}

static void on_async(uv_async_t *async)
{
    struct spt_link list;
    struct spt_sqlite *db = SPT_OF(async, struct spt_sqlite, async);
    if (db->ended)
        return;
    const bool running = take_answers(db, &list);
    if (!running) {
        pthread_join(db->thread, NULL);
        db->ended = true;
    }
    for (struct spt_link *l; (l = spt_list_pop(&list));)
        hand_over(db, SPT_OF(l, struct spt_sqlite_request, link));
    if (!running)
        close_handle(db);
}

static void queue(struct spt_sqlite *db, struct spt_sqlite_request *request, spt_sqlite_fn *fn,
                  void *ud)
{
    request->fn = fn;
    request->ud = ud;
    atomic_store(&request->abandoned, fn == NULL);
    if (db->waiting++ == 0)
        spt_loop_ref(db->loop);
    pthread_mutex_lock(&db->shared.lock);
    spt_list_push(&db->shared.queued, &request->link);
    pthread_cond_signal(&db->shared.wanted);
    pthread_mutex_unlock(&db->shared.lock);
}

/* Frees a database that has no thread. */
static struct spt_sqlite *discard(struct spt_sqlite *db)
{
    if (db->opening)
        spt_sqlite_request_free(db->opening);
    if (db->closing)
        spt_sqlite_request_free(db->closing);
    free((char *)db->connection.options.path);
    free(db);
    return NULL;
}

struct spt_sqlite *spt_sqlite_open(struct spt_loop *loop, const struct spt_sqlite_options *options,
                                   spt_sqlite_fn *fn, void *ud)
{
    struct spt_sqlite *db = calloc(1, sizeof *db);
    if (!db)
        return NULL;
    db->loop = loop;
    db->opening = spt_sqlite_request_new();
    db->closing = spt_sqlite_request_new();
    db->connection.options = *options;
    db->connection.options.path = strdup(options->path);
    db->connection.statements = db->statements;
    if (!db->opening || !db->closing || !db->connection.options.path ||
        uv_async_init(spt_loop_uv(loop), &db->async, on_async) != 0)
        return discard(db);
    db->opening->opens = true;
    db->closing->closes = true;
    uv_unref((uv_handle_t *)&db->async);
    spt_loop_handle_opened(loop);
    spt_link_init(&db->shared.queued);
    spt_link_init(&db->shared.answered);
    pthread_mutex_init(&db->shared.lock, NULL);
    pthread_cond_init(&db->shared.wanted, NULL);
    db->shared.running = true;
    db->process = getpid();
    queue(db, db->opening, fn, ud);
    if (start_thread(db) == 0)
        return db;
    spt_sqlite_request_free(db->opening);
    spt_sqlite_request_free(db->closing);
    count_answer(db);
    db->ended = true;
    close_handle(db);
    return NULL;
}

void spt_sqlite_forget_open(struct spt_sqlite *db)
{
    if (db->opening)
        spt_sqlite_forget(db->opening);
}

const struct spt_sqlite_fault *spt_sqlite_open_fault(const struct spt_sqlite *db)
{
    return &db->open_fault;
}

int spt_sqlite_add_statement(struct spt_sqlite *db, const char *sql, unsigned values,
                             unsigned flags)
{
    char *copy = db->count < SPT_SQLITE_STATEMENTS_MAX ? strdup(sql) : NULL;
    if (!copy)
        return -1;
    db->statements[db->count] =
        (struct spt_sqlite_statement){.sql = copy, .values = values, .flags = flags};
    return (int)db->count++;
}

const struct spt_sqlite_statement *spt_sqlite_statement(const struct spt_sqlite *db, uint32_t id)
{
    return id < db->count ? &db->statements[id] : NULL;
}

void spt_sqlite_submit(struct spt_sqlite *db, struct spt_sqlite_request *request, spt_sqlite_fn *fn,
                       void *ud)
{
    queue(db, request, fn, ud);
}

void spt_sqlite_forget(struct spt_sqlite_request *request)
{
    request->fn = NULL;
    atomic_store(&request->abandoned, true);
}

size_t spt_sqlite_waiting(const struct spt_sqlite *db)
{
    return db->waiting;
}

void spt_sqlite_close(struct spt_sqlite *db, spt_sqlite_fn *fn, void *ud)
{
    db->leaves = true;
    queue(db, db->closing, fn, ud);
}

void spt_sqlite_forget_close(struct spt_sqlite *db)
{
    spt_sqlite_forget(db->closing);
}

void spt_sqlite_end(struct spt_sqlite *db)
{
    struct spt_link list;
    if (db->process != getpid()) /* the thread, and the locks, are those of the other process */
        return;
    const uint64_t now = spt_sqlite_connection_now(&db->connection);
    atomic_store(&db->connection.end_ns, now + END_SECONDS * SPT_NS_PER_SECOND);
    if (!db->leaves)
        spt_sqlite_close(db, NULL, NULL);
    pthread_join(db->thread, NULL);
    db->ended = true;
    take_answers(db, &list);
    for (struct spt_link *l; (l = spt_list_pop(&list));) {
        struct spt_sqlite_request *request = SPT_OF(l, struct spt_sqlite_request, link);
        request->fn = NULL;
        hand_over(db, request);
    }
    close_handle(db);
}
