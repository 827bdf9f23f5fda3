/* SPDX-License-Identifier: MIT */
/* Opens a file with a write-ahead log, and gives each failure of SQLite a word. A lock is waited
 * for in short naps of random length, and not by SQLite's own handler, which some locks never
 * call. */
#include "sqlite/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "sqlite/process.h"

enum {
    NAP_LEAST_NS = 200 * 1000,
    NAP_MOST_NS = 25 * 1000 * 1000,
    STEPS = 20000, /* instructions of SQLite between two looks at the clock */
    LOG_PAGES = 2000,
    LOG_MOST = 64 * 1024 * 1024 /* bytes that the log keeps once it is written back */
};

/* --- the clock --- */

static uint64_t real_now(void *ud)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SPT_NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

static void real_nap(void *ud, uint64_t ns)
{
    const struct timespec ts = {.tv_sec = (time_t)(ns / SPT_NS_PER_SECOND),
                                .tv_nsec = (long)(ns % SPT_NS_PER_SECOND)};
    nanosleep(&ts, NULL);
}

static const struct spt_sqlite_clock real_clock = {real_now, real_nap, NULL};

static const struct spt_sqlite_clock *clock_of(const struct spt_sqlite_connection *c)
{
    return c->options.clock ? c->options.clock : &real_clock;
}

uint64_t spt_sqlite_connection_now(const struct spt_sqlite_connection *c)
{
    const struct spt_sqlite_clock *clock = clock_of(c);
    return clock->now(clock->ud);
}

static uint32_t next_random(struct spt_sqlite_connection *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 17;
    c->random ^= c->random << 5;
    return c->random;
}

static bool must_end(const struct spt_sqlite_connection *c, uint64_t now)
{
    const uint64_t end_ns = atomic_load(&c->end_ns);
    return end_ns && now >= end_ns;
}

bool spt_sqlite_connection_wait(struct spt_sqlite_connection *c, int rc)
{
    const struct spt_sqlite_clock *clock = clock_of(c);
    const uint64_t now = clock->now(clock->ud);
    if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED)
        return false;
    if (!c->wait_until_ns) {
        c->wait_until_ns = now + c->options.patience_ns;
        c->nap_ns = NAP_LEAST_NS;
    }
    if (now >= c->wait_until_ns || must_end(c, now))
        return false;
    clock->nap(clock->ud, c->nap_ns / 2 + next_random(c) % c->nap_ns);
    c->nap_ns += c->nap_ns / 2;
    if (c->nap_ns > NAP_MOST_NS)
        c->nap_ns = NAP_MOST_NS;
    return true;
}

void spt_sqlite_connection_calm(struct spt_sqlite_connection *c)
{
    c->wait_until_ns = 0;
}

static int on_progress(void *ud)
{
    const struct spt_sqlite_connection *c = ud;
    return must_end(c, spt_sqlite_connection_now(c));
}

/* --- faults --- */

static void set_fault(struct spt_sqlite_fault *fault, const char *code, const char *words)
{
    fault->code = code;
    snprintf(fault->words, sizeof fault->words, "%s", words);
}

/* Returns the word for a failure, by SQLite's code and the system's. */
static const char *word_of(int rc, int system)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "locked";
    case SQLITE_FULL:
        return "full";
    case SQLITE_CORRUPT:
        return "corrupt";
    case SQLITE_NOTADB:
        return "notadb";
    case SQLITE_READONLY:
        return rc == SQLITE_READONLY_DBMOVED ? "gone" : "readonly";
    case SQLITE_NOMEM:
        return "memory";
    case SQLITE_INTERRUPT:
        return "ended";
    case SQLITE_TOOBIG:
        return "too_big";
    case SQLITE_CANTOPEN:
        return system == EROFS ? "readonly" : "open";
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM)
            return "memory";
        return system == ENOSPC || system == EDQUOT || system == EFBIG ? "full" : "io";
    default:
        return "sql";
    }
}

void spt_sqlite_connection_fault(const struct spt_sqlite_connection *c, int rc,
                                 struct spt_sqlite_fault *fault)
{
    char room[128] = "";
    const int system = c->db ? sqlite3_system_errno(c->db) : 0;
    const int base = rc & 0xff;
    fault->code = word_of(rc, system);
    if (system && (base == SQLITE_CANTOPEN || base == SQLITE_IOERR))
        snprintf(room, sizeof room, " (%s)", strerror_r(system, (char[96]){0}, 96));
    snprintf(fault->words, sizeof fault->words, "%s%s",
             c->db && sqlite3_errcode(c->db) == (sqlite3_extended_errcode(c->db) & 0xff) &&
                     (sqlite3_extended_errcode(c->db) & 0xff) == base
                 ? sqlite3_errmsg(c->db)
                 : sqlite3_errstr(rc),
             room);
}

/* --- the file --- */

/* Sets where a path leads to. Returns 0 or errno. */
static int look_up(const char *path, struct spt_sqlite_file *file, mode_t *mode)
{
    struct stat st;
    *file = (struct spt_sqlite_file){0};
    if (stat(path, &st) != 0)
        return errno;
    *file = (struct spt_sqlite_file){.device = st.st_dev, .inode = st.st_ino};
    if (mode)
        *mode = st.st_mode;
    return 0;
}

static bool is_same(const char *path, const struct spt_sqlite_file *file)
{
    struct spt_sqlite_file now;
    const int error = look_up(path, &now, NULL);
    if (error)
        return error != ENOENT && error != ENOTDIR;
    return now.device == file->device && now.inode == file->inode;
}

bool spt_sqlite_connection_check(const struct spt_sqlite_connection *c,
                                 struct spt_sqlite_fault *fault)
{
    if (!is_same(c->path, &c->file))
        set_fault(fault, "gone", "the file was removed or replaced");
    else if (c->wal_file.inode && !is_same(c->wal, &c->wal_file))
        set_fault(fault, "gone", "the log beside the file was removed or replaced");
    else
        return true;
    return false;
}

/* --- opening --- */

static int exec(struct spt_sqlite_connection *c, const char *sql)
{
    int rc;
    do
        rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    while (rc != SQLITE_OK && spt_sqlite_connection_wait(c, rc));
    spt_sqlite_connection_calm(c);
    return rc;
}

/* Sets the two integers of a query's first row, or the one and the length of a text. */
static int query(struct spt_sqlite_connection *c, const char *sql, int *first, int *second)
{
    sqlite3_stmt *statement = NULL;
    int rc;
    do {
        sqlite3_finalize(statement);
        statement = NULL;
        rc = sqlite3_prepare_v2(c->db, sql, -1, &statement, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(statement);
    } while (spt_sqlite_connection_wait(c, rc));
    if (rc == SQLITE_ROW) {
        *first = sqlite3_column_int(statement, 0);
        *second = sqlite3_column_int(statement, 1);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    spt_sqlite_connection_calm(c);
    return rc;
}

int spt_sqlite_connection_sync(struct spt_sqlite_connection *c, bool full)
{
    const int level = full && !c->options.normal ? 2 : 1;
    if (level == c->synchronous)
        return SQLITE_OK;
    int rc = exec(c, level == 2 ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (rc == SQLITE_OK)
        c->synchronous = level;
    return rc;
}

/* Checks that what is there is a database, and the caller's own. */
static int check_content(struct spt_sqlite_connection *c, struct spt_sqlite_fault *fault)
{
    int application, tables;
    if (sqlite3_db_readonly(c->db, "main") == 1)
        return SQLITE_READONLY;
    int rc = query(c,
                   "SELECT (SELECT application_id FROM pragma_application_id), "
                   "(SELECT count(*) FROM sqlite_schema)",
                   &application, &tables);
    if (rc == SQLITE_OK && tables > 0 && application != c->options.application) {
        set_fault(fault, "foreign", "the file is a database of another program");
        return SQLITE_ERROR;
    }
    return rc;
}

static int configure(struct spt_sqlite_connection *c, struct spt_sqlite_fault *fault)
{
    char sql[320];
    int on = 0, ignored = 0;
    int rc = query(c, "SELECT journal_mode = 'wal', 0 FROM pragma_journal_mode", &on, &ignored);
    if (rc == SQLITE_OK && !on)
        rc = exec(c, "PRAGMA journal_mode=WAL");
    if (rc == SQLITE_OK && !on)
        rc = query(c, "SELECT journal_mode = 'wal', 0 FROM pragma_journal_mode", &on, &ignored);
    if (rc == SQLITE_OK && !on) {
        set_fault(fault, "open", "the file system has no shared memory for a write-ahead log");
        return SQLITE_ERROR;
    }
    snprintf(sql, sizeof sql,
             "PRAGMA cache_size=-%d; PRAGMA wal_autocheckpoint=%d; PRAGMA journal_size_limit=%d;"
             "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA synchronous=NORMAL",
             c->options.cache_kib, LOG_PAGES, LOG_MOST);
    if (rc == SQLITE_OK)
        rc = exec(c, sql);
    c->synchronous = 1;
    return rc;
}

/* Sets the paths of the file and of the log beside it. */
static bool set_paths(struct spt_sqlite_connection *c, const char *path)
{
    const size_t size = strlen(path) + sizeof "./-wal";
    char *file = malloc(size), *wal = malloc(size);
    if (!file || !wal) {
        free(file);
        free(wal);
        return false;
    }
    /* SQLite takes some names for others than files, but none that has a folder */
    snprintf(file, size, "%s%s", path[0] == '/' ? "" : "./", path);
    snprintf(wal, size, "%s-wal", file);
    free(c->path);
    free(c->wal);
    c->path = file;
    c->wal = wal;
    return true;
}

/* Notes what lies at the paths, in the form that SQLite has given them: they begin at the root, and
 * no link is on the way. The file stays the same if the program changes its folder. */
static int note_files(struct spt_sqlite_connection *c)
{
    if (!set_paths(c, sqlite3_db_filename(c->db, "main")))
        return SQLITE_NOMEM;
    look_up(c->path, &c->file, NULL);
    look_up(c->wal, &c->wal_file, NULL);
    return SQLITE_OK;
}

static int open_file(struct spt_sqlite_connection *c, struct spt_sqlite_fault *fault)
{
    mode_t mode = S_IFREG;
    look_up(c->path, &c->file, &mode);
    if (!S_ISREG(mode)) {
        set_fault(fault, "open", "it is not a regular file");
        return SQLITE_ERROR;
    }
    int rc = sqlite3_open_v2(
        c->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_progress_handler(c->db, STEPS, on_progress, c);
    rc = check_content(c, fault);
    if (rc == SQLITE_OK)
        rc = configure(c, fault);
    if (rc == SQLITE_OK)
        rc = spt_sqlite_process_register(c->db);
    return rc == SQLITE_OK ? note_files(c) : rc;
}

bool spt_sqlite_connection_open(struct spt_sqlite_connection *c, struct spt_sqlite_fault *fault)
{
    fault->code = NULL;
    spt_buf_init(&c->found, SIZE_MAX / 2);
    c->random = (uint32_t)getpid() * 2654435761U ^ (uint32_t)real_now(NULL) ^ 1;
    if (c->random == 0)
        c->random = 1;
    int rc = set_paths(c, c->options.path) ? open_file(c, fault) : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        return true;
    if (!fault->code)
        spt_sqlite_connection_fault(c, rc, fault);
    spt_sqlite_connection_close(c);
    return false;
}

void spt_sqlite_connection_close(struct spt_sqlite_connection *c)
{
    int keep = 1;
    struct spt_sqlite_fault ignored;
    for (int i = 0; i < SPT_SQLITE_STATEMENTS_MAX; i++)
        sqlite3_finalize(c->prepared[i]);
    memset(c->prepared, 0, sizeof c->prepared);
    /* SQLite would remove the log of another database that lies there now. */
    if (c->db && c->file.inode && !spt_sqlite_connection_check(c, &ignored))
        sqlite3_file_control(c->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    sqlite3_close(c->db);
    spt_buf_release(&c->found);
    free(c->path);
    free(c->wal);
    c->db = NULL;
    c->path = c->wal = NULL;
}

sqlite3_stmt *spt_sqlite_connection_statement(struct spt_sqlite_connection *c, uint32_t id)
{
    sqlite3_stmt **prepared = &c->prepared[id];
    if (!*prepared)
        sqlite3_prepare_v3(c->db, c->statements[id].sql, -1, SQLITE_PREPARE_PERSISTENT, prepared,
                           NULL);
    return *prepared;
}
