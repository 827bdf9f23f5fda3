/* SPDX-License-Identifier: MIT */
/* A change has a savepoint only if a step behind its first one may undo it. Rows that are kept lie
 * in a buffer of the connection, in the form of a program. */
#include "sqlite/steps.h"

#include <string.h>

#include "septet/septet.h"
#include "sqlite/program.h"
#include "sqlite/values.h"

enum {
    KEPT_MOST = 12, /* columns of a row that is kept */
    NUMBERS = 2,
    VAIN_MOST = 4096 /* rows in sequence that do not count, before an EACH ends */
};

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
    int64_t rest;   /* number of rows that an EACH still wants */
    int32_t before; /* number of rows that the last step has changed */
    unsigned kept;  /* number of columns of the row that is kept */
    struct spt_sqlite_value row[KEPT_MOST];
    int64_t numbers[NUMBERS];
};

/* The rows that a statement has changed, or returned. */
struct rows {
    int32_t changed;
    uint32_t values;
};

/* --- statements --- */

/* Binds the values of a step, and those of the row that it uses. */
static int bind_all(struct run *run, sqlite3_stmt *statement,
                    const struct spt_sqlite_statement *what)
{
    int rc = SQLITE_OK, i = 1;
    const bool gives = what->flags & SPT_SQLITE_GIVES;
    for (; i <= (int)what->values; i++) {
        struct spt_sqlite_value value =
            spt_sqlite_program_read_value(&run->request->program, &run->at);
        if (i == 1 && what->flags & (SPT_SQLITE_FROM_1 | SPT_SQLITE_FROM_2) &&
            value.kind == SPT_SQLITE_INTEGER)
            value.integer = run->numbers[what->flags & SPT_SQLITE_FROM_2 ? 1 : 0] - value.integer;
        if (gives && run->kept < KEPT_MOST)
            run->row[run->kept++] = value;
        if (rc == SQLITE_OK)
            rc = spt_sqlite_values_bind(statement, i, &value);
    }
    if (!(what->flags & SPT_SQLITE_USES))
        return rc;
    const int parameters = sqlite3_bind_parameter_count(statement);
    for (unsigned k = 0; rc == SQLITE_OK && i <= parameters && k < run->kept; i++, k++)
        rc = spt_sqlite_values_bind(statement, i, &run->row[k]);
    return rc;
}

/* Runs a statement that has its values. Appends its rows to `to`, unless that is NULL. */
static int step_all(struct run *run, sqlite3_stmt *statement, struct spt_buf *to, struct rows *rows)
{
    const int columns = to ? sqlite3_column_count(statement) : 0;
    int rc, row_rc = SQLITE_OK;
    *rows = (struct rows){0};
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && row_rc == SQLITE_OK) {
        rows->changed++;
        rows->values += (uint32_t)columns;
        for (int i = 0; row_rc == SQLITE_OK && i < columns; i++)
            row_rc = spt_sqlite_values_add(to, statement, i);
    }
    if (rc == SQLITE_DONE && !sqlite3_stmt_readonly(statement))
        rows->changed = sqlite3_changes(run->c->db);
    rc = sqlite3_reset(statement);
    return row_rc != SQLITE_OK ? row_rc : rc;
}

static const struct spt_sqlite_statement *read_step(struct run *run, uint32_t *id)
{
    *id = spt_sqlite_program_read(&run->request->program, &run->at);
    return &run->c->statements[*id];
}

/* Passes over the values of a step. */
static void skip_values(struct run *run, const struct spt_sqlite_statement *what)
{
    for (unsigned n = what->values; n > 0; n--)
        spt_sqlite_program_read_value(&run->request->program, &run->at);
}

/* Keeps a row that begins at `at` of the buffer. Moves that behind it. */
static void keep(struct run *run, const struct spt_buf *from, size_t *at, unsigned columns)
{
    run->kept = columns < KEPT_MOST ? columns : KEPT_MOST;
    for (unsigned i = 0; i < columns; i++) {
        const struct spt_sqlite_value value = spt_sqlite_program_read_value(from, at);
        if (i < KEPT_MOST)
            run->row[i] = value;
    }
}

/* Keeps the integers of the row that begins at `at` of the answer. */
static void keep_numbers(struct run *run, size_t at)
{
    const struct spt_buf *rows = &run->request->rows;
    for (unsigned i = 0; i < NUMBERS && at < rows->len; i++)
        run->numbers[i] = spt_sqlite_program_read_value(rows, &at).integer;
}

/* Returns true if a step is left out because of the row that is kept, or of the step before. */
static bool is_needless(const struct run *run, unsigned flags)
{
    static const unsigned needs[] = {SPT_SQLITE_NEEDS_2, SPT_SQLITE_NEEDS_3, SPT_SQLITE_NEEDS_4};
    if (flags & SPT_SQLITE_OTHERWISE && run->before > 0)
        return true;
    if (flags & SPT_SQLITE_THEN && run->before == 0)
        return true;
    for (unsigned i = 0; i < sizeof needs / sizeof *needs; i++)
        if (flags & needs[i] && (run->kept < i + 2 || run->row[i + 1].kind == SPT_SQLITE_NULL))
            return true;
    return false;
}

/* Runs a simple statement, or leaves it out. Moves behind its values. */
static int run_simple(struct run *run, uint32_t id, struct rows *rows)
{
    size_t at = 0;
    const struct spt_sqlite_statement *what = &run->c->statements[id];
    struct spt_buf *kept = &run->c->found;
    *rows = (struct rows){0};
    if (what->flags & SPT_SQLITE_SCRIPT)
        return sqlite3_exec(run->c->db, what->sql, NULL, NULL, NULL);
    if (is_needless(run, what->flags)) {
        skip_values(run, what);
        return SQLITE_OK;
    }
    sqlite3_stmt *statement = spt_sqlite_connection_statement(run->c, id);
    if (!statement)
        return sqlite3_extended_errcode(run->c->db);
    const bool keeps = what->flags & SPT_SQLITE_KEEPS;
    const size_t rows_at = run->request->rows.len;
    if (keeps)
        kept->len = 0;
    if (what->flags & (SPT_SQLITE_KEEPS | SPT_SQLITE_GIVES))
        run->kept = 0;
    int rc = bind_all(run, statement, what);
    if (rc == SQLITE_OK)
        rc = step_all(run, statement,
                      keeps                           ? kept
                      : what->flags & SPT_SQLITE_ROWS ? &run->request->rows
                                                      : NULL,
                      rows);
    if (rc == SQLITE_OK && what->flags & SPT_SQLITE_NUMBERS)
        keep_numbers(run, rows_at);
    if (rc == SQLITE_OK && keeps && rows->changed > 0)
        keep(run, kept, &at, rows->values / (uint32_t)rows->changed);
    run->before = rows->changed;
    return rc;
}

/* --- answers --- */

static int add_changed(struct run *run, int32_t changed)
{
    return spt_sqlite_values_status(
        spt_buf_append(&run->request->changed, &changed, sizeof changed));
}

static int add_lists(struct run *run, uint32_t n)
{
    int rc = SEPTET_OK;
    while (rc == SEPTET_OK && n-- > 0)
        rc = spt_sqlite_program_add(&run->request->rows, 0);
    return spt_sqlite_values_status(rc);
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

/* --- steps for each row --- */

/* The inner steps of an EACH: where they lie in the program, and where their answers begin. */
struct inner {
    size_t from, to, answer_at;
    bool hands_out; /* the rows that count are handed out */
};

/* Adds the number of rows that an inner step has changed to its answer. */
static void count_inner(struct run *run, size_t answer_at, int32_t changed)
{
    int32_t sum;
    char *at = run->request->changed.data + answer_at;
    memcpy(&sum, at, sizeof sum);
    sum += changed;
    memcpy(at, &sum, sizeof sum);
}

/* Passes over the inner steps, and adds an answer for each. */
static int add_inner(struct run *run)
{
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && run->at < run->request->program.len) {
        uint32_t id;
        const size_t began = run->at;
        const struct spt_sqlite_statement *what = read_step(run, &id);
        if (!(what->flags & SPT_SQLITE_INNER)) {
            run->at = began;
            break;
        }
        skip_values(run, what);
        rc = add_changed(run, 0);
    }
    return rc;
}

/* Runs the inner steps for the row that is kept. Sets whether it counts. */
static int run_inner(struct run *run, const struct inner *inner, bool *counts)
{
    int rc = SQLITE_OK;
    size_t answer_at = inner->answer_at;
    run->at = inner->from;
    for (bool first = true; rc == SQLITE_OK && run->at < inner->to; first = false) {
        uint32_t id;
        struct rows rows;
        read_step(run, &id);
        rc = run_simple(run, id, &rows);
        if (first)
            *counts = rows.changed > 0;
        count_inner(run, answer_at, rows.changed);
        answer_at += sizeof(int32_t);
    }
    return rc;
}

/* Runs the inner steps for the rows that were found. */
static int run_found(struct run *run, const struct inner *inner, const struct rows *found,
                     struct rows *all)
{
    int rc = SQLITE_OK;
    const struct spt_buf *rows = &run->c->found;
    const unsigned columns = found->values / (uint32_t)found->changed;
    for (size_t at = 0; rc == SQLITE_OK && at < rows->len && run->rest > 0;) {
        bool counts = false;
        const size_t began = at;
        keep(run, rows, &at, columns);
        rc = run_inner(run, inner, &counts);
        if (rc != SQLITE_OK || !counts)
            continue;
        run->rest--;
        all->changed++;
        if (inner->hands_out) {
            all->values += columns;
            rc = spt_sqlite_values_status(
                spt_buf_append(&run->request->rows, rows->data + began, at - began));
        }
    }
    return rc;
}

/* Finds the rows that an EACH still wants. Its values begin at `at`. */
static int find(struct run *run, uint32_t id, size_t at, struct rows *found)
{
    sqlite3_stmt *statement = spt_sqlite_connection_statement(run->c, id);
    if (!statement)
        return sqlite3_extended_errcode(run->c->db);
    run->at = at;
    run->c->found.len = 0;
    int rc = bind_all(run, statement, &run->c->statements[id]);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(statement, 1, run->rest);
    return rc == SQLITE_OK ? step_all(run, statement, &run->c->found, found) : rc;
}

/* Runs an EACH with its inner steps, and adds their answers. */
static int run_each(struct run *run, uint32_t id, struct rows *all)
{
    struct rows found;
    struct inner inner;
    size_t at = run->at;
    const struct spt_sqlite_statement *what = &run->c->statements[id];
    const struct spt_buf *changed = &run->request->changed;
    const size_t own_at = changed->len;
    const int64_t wanted = spt_sqlite_program_read_value(&run->request->program, &at).integer;
    at = run->at;
    skip_values(run, what);
    if (!(what->flags & SPT_SQLITE_CONTINUES))
        run->rest = is_needless(run, what->flags) ? 0 : wanted;
    inner = (struct inner){.from = run->at,
                           .answer_at = own_at + sizeof(int32_t),
                           .hands_out = what->flags & SPT_SQLITE_ROWS};
    int rc = add_changed(run, 0);
    if (rc == SQLITE_OK)
        rc = add_inner(run);
    inner.to = run->at;
    for (int vain = 0; rc == SQLITE_OK && run->rest > 0 && vain < VAIN_MOST;) {
        const int32_t before = all->changed;
        rc = find(run, id, at, &found);
        if (rc != SQLITE_OK || found.changed == 0)
            break;
        rc = run_found(run, &inner, &found, all);
        vain = all->changed > before ? 0 : vain + found.changed;
    }
    run->at = inner.to;
    run->kept = 0;
    if (rc == SQLITE_OK)
        memcpy(changed->data + own_at, &all->changed, sizeof all->changed);
    return rc;
}

/* --- steps --- */

static int end_change(struct run *run)
{
    const bool saved = run->saved;
    run->saved = false;
    return saved ? sqlite3_exec(run->c->db, "RELEASE change", NULL, NULL, NULL) : SQLITE_OK;
}

/* Returns true if a later step of the change that begins at `at` may undo it. */
static bool may_be_undone(const struct run *run, size_t at)
{
    struct run look = *run;
    look.at = at;
    for (bool first = true; look.at < run->request->program.len; first = false) {
        uint32_t id;
        const struct spt_sqlite_statement *what = read_step(&look, &id);
        if (!first && what->flags & SPT_SQLITE_BEGINS)
            return false;
        if (!first && what->flags & SPT_SQLITE_FENCES)
            return true;
        skip_values(&look, what);
    }
    return false;
}

/* Ends the change before, and begins the one at `at`. */
static int begin_change(struct run *run, size_t at)
{
    int rc = end_change(run);
    run->left = false;
    run->lists = run->kept = 0;
    run->changed_at = run->request->changed.len;
    run->rows_at = run->request->rows.len;
    run->saved = rc == SQLITE_OK && may_be_undone(run, at);
    if (run->saved)
        rc = sqlite3_exec(run->c->db, "SAVEPOINT change", NULL, NULL, NULL);
    return rc;
}

/* Runs a step that is not left out, and adds its answer. */
static int run_wanted(struct run *run, uint32_t id, struct rows *rows)
{
    const unsigned flags = run->c->statements[id].flags;
    *rows = (struct rows){0};
    if (flags & (SPT_SQLITE_EACH | SPT_SQLITE_CONTINUES))
        return run_each(run, id, rows);
    int rc = run_simple(run, id, rows);
    if (rc == SQLITE_OK)
        rc = add_changed(run, rows->changed);
    return rc == SQLITE_OK && flags & SPT_SQLITE_FENCES && rows->changed == 0 ? undo(run) : rc;
}

static int run_step(struct run *run)
{
    uint32_t id;
    struct rows rows;
    int rc = SQLITE_OK;
    const size_t began = run->at;
    const struct spt_sqlite_statement *what = read_step(run, &id);
    const bool has_rows = what->flags & SPT_SQLITE_ROWS;
    if (began == 0 || what->flags & SPT_SQLITE_BEGINS)
        rc = begin_change(run, began);
    const size_t list_at = run->request->rows.len;
    if (rc == SQLITE_OK && has_rows)
        rc = add_lists(run, 1);
    run->lists += has_rows;
    if (rc == SQLITE_OK && run->left) {
        skip_values(run, what);
        return add_changed(run, -1);
    }
    if (rc == SQLITE_OK)
        rc = run_wanted(run, id, &rows);
    if (rc == SQLITE_OK && has_rows && !run->left)
        memcpy(run->request->rows.data + list_at, &rows.values, sizeof rows.values);
    return rc;
}

int spt_sqlite_steps_run(struct spt_sqlite_connection *c, struct spt_sqlite_request *request)
{
    struct run run = {.c = c, .request = request};
    int rc = SQLITE_OK;
    request->changed.len = request->rows.len = 0;
    while (rc == SQLITE_OK && run.at < request->program.len)
        rc = run_step(&run);
    return rc == SQLITE_OK ? end_change(&run) : rc;
}
