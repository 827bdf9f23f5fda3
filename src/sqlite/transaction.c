/* SPDX-License-Identifier: MIT */
/* Runs a list of requests, and further ones that join it, between a BEGIN and a COMMIT. */
#include "sqlite/transaction.h"

#include <string.h>

#include "sqlite/steps.h"

/* What shares a transaction. */
struct group {
    struct spt_link *requests;
    spt_sqlite_more_fn *more; /* NULL: none may join */
    void *ud;
    bool durable; /* the commit survives a power cut */
};

static int begin(struct spt_sqlite_connection *c, struct group *group)
{
    bool writes = false;
    group->durable = false;
    for (struct spt_link *l = group->requests->next; l != group->requests; l = l->next) {
        const struct spt_sqlite_request *request = SPT_OF(l, struct spt_sqlite_request, link);
        writes = writes || request->writes;
        if (request->writes && !(request->flags & SPT_SQLITE_RELAXED))
            group->durable = true;
    }
    int rc = writes ? spt_sqlite_connection_sync(c, group->durable) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    return sqlite3_exec(c->db, writes ? "BEGIN IMMEDIATE" : "BEGIN", NULL, NULL, NULL);
}

static int run_list(struct spt_sqlite_connection *c, struct spt_link *requests)
{
    int rc = SQLITE_OK;
    for (struct spt_link *l = requests->next; rc == SQLITE_OK && l != requests; l = l->next)
        rc = spt_sqlite_steps_run(c, SPT_OF(l, struct spt_sqlite_request, link));
    return rc;
}

/* Has further requests join the transaction, if its commit is good enough for all. Returns false if
 * there are none. */
static bool join(struct group *group, int *rc, struct spt_sqlite_connection *c)
{
    struct spt_link more;
    spt_link_init(&more);
    if (group->more && group->durable)
        group->more(group->ud, group->requests, &more);
    if (spt_list_is_empty(&more))
        return false;
    *rc = run_list(c, &more);
    spt_list_splice(group->requests, &more);
    return true;
}

static int commit(struct spt_sqlite_connection *c, const struct group *group)
{
    const uint64_t began = spt_sqlite_connection_now(c);
    int rc = sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK && group->durable)
        c->commit_ns = spt_sqlite_connection_now(c) - began;
    return rc;
}

/* Runs the requests once. Sets the fault, and undoes all, if that fails. */
static int try_once(struct spt_sqlite_connection *c, struct group *group,
                    struct spt_sqlite_fault *fault)
{
    int rc = begin(c, group);
    if (rc == SQLITE_OK)
        rc = run_list(c, group->requests);
    while (rc == SQLITE_OK && join(group, &rc, c))
        continue;
    if (rc == SQLITE_OK)
        rc = commit(c, group);
    if (rc == SQLITE_OK)
        return rc;
    spt_sqlite_connection_fault(c, rc, fault);
    if (!sqlite3_get_autocommit(c->db))
        sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Runs the requests in one transaction. Waits while others hold the lock. */
static void run_all(struct spt_sqlite_connection *c, struct group *group,
                    struct spt_sqlite_fault *fault)
{
    int rc;
    do {
        fault->code = NULL;
        if (!spt_sqlite_connection_check(c, fault))
            break;
        rc = try_once(c, group, fault);
    } while (rc != SQLITE_OK && spt_sqlite_connection_wait(c, rc));
    spt_sqlite_connection_calm(c);
}

static void set_faults(struct spt_link *requests, const struct spt_sqlite_fault *fault)
{
    for (struct spt_link *l = requests->next; l != requests; l = l->next)
        SPT_OF(l, struct spt_sqlite_request, link)->fault = *fault;
}

/* Returns true if each request by itself may fare better than all together. */
static bool is_worth_a_try(const struct spt_link *requests, const struct spt_sqlite_fault *fault)
{
    return requests->next->next != requests && strcmp(fault->code, "gone") != 0 &&
           strcmp(fault->code, "locked") != 0;
}

void spt_sqlite_transaction_run(struct spt_sqlite_connection *c, struct spt_link *requests,
                                spt_sqlite_more_fn *more, void *ud)
{
    struct spt_sqlite_fault fault;
    struct spt_link alone, done;
    struct group together = {.requests = requests, .more = more, .ud = ud};
    struct group single = {.requests = &alone};
    run_all(c, &together, &fault);
    if (!fault.code || !is_worth_a_try(requests, &fault)) {
        set_faults(requests, &fault);
        return;
    }
    spt_link_init(&alone);
    spt_link_init(&done);
    for (struct spt_link *l; (l = spt_list_pop(requests));) {
        spt_list_push(&alone, l);
        run_all(c, &single, &fault);
        set_faults(&alone, &fault);
        spt_list_splice(&done, &alone);
    }
    spt_list_splice(requests, &done);
}
