/* SPDX-License-Identifier: MIT */
/* A change has a savepoint only if a step behind its first one may undo it. */
#include "sqlite/transaction.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "septet/septet.h"
#include "sqlite/program.h"

enum { VAIN_MOST = 4096 }; /* runs of a repeated statement that do not count */

/* A request that is running. */
struct run {
    struct spt_sqlite_connection *c;
    struct spt_sqlite_request *request;
    size_t at;         /* of the program, in bytes */
    size_t changed_at; /* where the answer of the change begins, in bytes */
    size_t rows_at;
    uint32_t lists; /* steps with rows of the change so far */
    bool saved;     /* the change has a savepoint */
    bool left;      /* the rest of the change is left out */
    int64_t rest;   /* number of runs that a repeated step has left */
};

/* The rows of one run of a statement. */
struct rows {
    int32_t changed; /* number of rows that were changed, or returned */
    uint32_t values;
    bool counted; /* its first value is not 0 */
};

static int status_of(int rc)
{
    return rc == SEPTET_OK ? SQLITE_OK : rc == SEPTET_ETOOBIG ? SQLITE_TOOBIG : SQLITE_NOMEM;
}

/* --- statements --- */

static int bind(sqlite3_stmt *statement, int i, const struct spt_sqlite_value *value)
{
    switch (value->kind) {
    case SPT_SQLITE_INTEGER:
        return sqlite3_bind_int64(statement, i, value->integer);
    case SPT_SQLITE_REAL:
        return sqlite3_bind_double(statement, i, value->real);
    case SPT_SQLITE_TEXT:
        return sqlite3_bind_text64(statement, i, value->text, value->len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    default:
        return sqlite3_bind_null(statement, i);
    }
}

static int add_column(struct spt_buf *rows, sqlite3_stmt *statement, int i)
{
    struct spt_sqlite_value value = {.kind = SPT_SQLITE_NULL};
    switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
        value.kind = SPT_SQLITE_INTEGER;
        value.integer = sqlite3_column_int64(statement, i);
        break;
    case SQLITE_FLOAT:
        value.kind = SPT_SQLITE_REAL;
        value.real = sqlite3_column_double(statement, i);
        break;
    case SQLITE_NULL:
        break;
    default:
        value.text = (const char *)sqlite3_column_text(statement, i);
        if (!value.text)
            return SQLITE_NOMEM;
        value.kind = SPT_SQLITE_TEXT;
        value.len = (size_t)sqlite3_column_bytes(statement, i);
    }
    return status_of(spt_sqlite_program_add_value(rows, &value));
}

/* Appends the row that the statement stands on. */
static int add_row(struct spt_buf *to, sqlite3_stmt *statement, struct rows *rows)
{
    const int columns = sqlite3_column_count(statement);
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < columns; i++)
        rc = add_column(to, statement, i);
    rows->values += (uint32_t)columns;
    return rc;
}

/* Runs a statement that has its values. */
static int run_once(struct run *run, sqlite3_stmt *statement, unsigned flags, struct rows *rows)
{
    struct spt_buf *to = &run->request->rows;
    int rc, row_rc = SQLITE_OK;
    *rows = (struct rows){0};
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && row_rc == SQLITE_OK) {
        rows->changed++;
        rows->counted = sqlite3_column_int(statement, 0) != 0;
        if (flags & SPT_SQLITE_ROWS && (rows->counted || !(flags & SPT_SQLITE_REPEATS)))
            row_rc = add_row(to, statement, rows);
    }
    if (rc == SQLITE_DONE && !sqlite3_stmt_readonly(statement) && !(flags & SPT_SQLITE_REPEATS))
        rows->changed = sqlite3_changes(run->c->db);
    const int reset_rc = sqlite3_reset(statement);
    return row_rc != SQLITE_OK ? row_rc : reset_rc;
}

/* Runs a statement until it returns no row, or often enough. */
static int run_repeated(struct run *run, sqlite3_stmt *statement, unsigned flags, struct rows *all)
{
    struct rows rows;
    int rc = SQLITE_OK;
    for (int vain = 0; run->rest > 0 && vain < VAIN_MOST;) {
        rc = run_once(run, statement, flags, &rows);
        if (rc != SQLITE_OK || rows.changed == 0)
            break;
        all->values += rows.values;
        all->changed += rows.counted;
        run->rest -= rows.counted;
        vain += !rows.counted;
    }
    return rc;
}

static int bind_all(struct run *run, sqlite3_stmt *statement,
                    const struct spt_sqlite_statement *what)
{
    const struct spt_buf *program = &run->request->program;
    int rc = SQLITE_OK;
    if (what->flags & SPT_SQLITE_REPEATS && !(what->flags & SPT_SQLITE_CONTINUES))
        run->rest = spt_sqlite_program_read_value(program, &run->at).integer;
    for (unsigned i = 0; i < what->values; i++) {
        const struct spt_sqlite_value value = spt_sqlite_program_read_value(program, &run->at);
        if (rc == SQLITE_OK)
            rc = bind(statement, (int)i + 1, &value);
    }
    return rc;
}

/* Passes over the values of a step. */
static void skip_values(struct run *run, const struct spt_sqlite_statement *what)
{
    unsigned n = what->values;
    if (what->flags & SPT_SQLITE_REPEATS && !(what->flags & SPT_SQLITE_CONTINUES))
        n++;
    while (n-- > 0)
        spt_sqlite_program_read_value(&run->request->program, &run->at);
}

/* --- answers --- */

static int add_changed(struct run *run, int32_t changed)
{
    return status_of(spt_buf_append(&run->request->changed, &changed, sizeof changed));
}

static int add_lists(struct run *run, uint32_t n)
{
    int rc = SEPTET_OK;
    while (rc == SEPTET_OK && n-- > 0)
        rc = spt_sqlite_program_add(&run->request->rows, 0);
    return status_of(rc);
}

/* Undoes the change so far, and leaves its rest out. */
static int undo(struct run *run)
{
    struct spt_buf *changed = &run->request->changed;
    run->left = true;
    memset(changed->data + run->changed_at, 0xff, changed->len - run->changed_at);
    run->request->rows.len = run->rows_at;
    int rc = add_lists(run, run->lists);
    if (rc == SQLITE_OK && run->saved)
        rc = sqlite3_exec(run->c->db, "ROLLBACK TO change", NULL, NULL, NULL);
    return rc;
}

/* --- steps --- */

static int end_change(struct run *run)
{
    const bool saved = run->saved;
    run->saved = false;
    return saved ? sqlite3_exec(run->c->db, "RELEASE change", NULL, NULL, NULL) : SQLITE_OK;
}

static void begin_change(struct run *run)
{
    run->left = false;
    run->lists = 0;
    run->changed_at = run->request->changed.len;
    run->rows_at = run->request->rows.len;
}

/* Returns true if a later step of the change that begins at `at` may undo it. */
static bool may_be_undone(const struct run *run)
{
    struct run look = *run;
    for (bool first = true; look.at < run->request->program.len; first = false) {
        const uint32_t id = spt_sqlite_program_read(&run->request->program, &look.at);
        const struct spt_sqlite_statement *what = &run->c->statements[id];
        if (!first && what->flags & SPT_SQLITE_BEGINS)
            return false;
        if (!first && what->flags & SPT_SQLITE_FENCES)
            return true;
        skip_values(&look, what);
    }
    return false;
}

static int run_statement(struct run *run, uint32_t id, struct rows *rows)
{
    const struct spt_sqlite_statement *what = &run->c->statements[id];
    if (what->flags & SPT_SQLITE_SCRIPT)
        return sqlite3_exec(run->c->db, what->sql, NULL, NULL, NULL);
    sqlite3_stmt *statement = spt_sqlite_connection_statement(run->c, id);
    if (!statement)
        return sqlite3_extended_errcode(run->c->db);
    int rc = bind_all(run, statement, what);
    if (rc != SQLITE_OK)
        return rc;
    return what->flags & SPT_SQLITE_REPEATS ? run_repeated(run, statement, what->flags, rows)
                                            : run_once(run, statement, what->flags, rows);
}

static int run_step(struct run *run)
{
    struct spt_buf *to = &run->request->rows;
    const size_t began = run->at;
    const uint32_t id = spt_sqlite_program_read(&run->request->program, &run->at);
    const struct spt_sqlite_statement *what = &run->c->statements[id];
    const bool has_rows = what->flags & SPT_SQLITE_ROWS;
    int rc = SQLITE_OK;
    if (began == 0 || what->flags & SPT_SQLITE_BEGINS) {
        rc = end_change(run);
        begin_change(run);
        struct run look = *run;
        look.at = began;
        run->saved = rc == SQLITE_OK && may_be_undone(&look);
        if (run->saved)
            rc = sqlite3_exec(run->c->db, "SAVEPOINT change", NULL, NULL, NULL);
    }
    const size_t list_at = to->len;
    if (rc == SQLITE_OK && has_rows)
        rc = add_lists(run, 1);
    run->lists += has_rows;
    if (rc == SQLITE_OK && run->left) {
        skip_values(run, what);
        return add_changed(run, -1);
    }
    struct rows rows = {0};
    if (rc == SQLITE_OK)
        rc = run_statement(run, id, &rows);
    if (rc == SQLITE_OK)
        rc = add_changed(run, rows.changed);
    if (rc == SQLITE_OK && has_rows)
        memcpy(to->data + list_at, &rows.values, sizeof rows.values);
    if (rc == SQLITE_OK && what->flags & SPT_SQLITE_FENCES && rows.changed == 0)
        rc = undo(run);
    return rc;
}

static int run_request(struct spt_sqlite_connection *c, struct spt_sqlite_request *request)
{
    struct run run = {.c = c, .request = request};
    int rc = SQLITE_OK;
    request->changed.len = request->rows.len = 0;
    while (rc == SQLITE_OK && run.at < request->program.len)
        rc = run_step(&run);
    return rc == SQLITE_OK ? end_change(&run) : rc;
}

/* --- transactions --- */

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
        rc = run_request(c, SPT_OF(l, struct spt_sqlite_request, link));
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
        rc = sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL);
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
