/* SPDX-License-Identifier: MIT */
/* A file that is written, and an operation on it. Private to file.c, file_open.c and
 * file_held.c. */
#ifndef SPT_OP_FILE_H
#define SPT_OP_FILE_H

#include <lua.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/scope.h"
#include "core/task.h"
#include "loop/output.h"
#include "septet/op.h"

#define SPT_FILE_META "septet.io.writer"

struct spt_env;
struct spt_held;

struct spt_file {
    struct spt_output *output;         /* owned; NULL before opening and once closed */
    struct spt_file_op *waiter;        /* operation that waits for the output; NULL if none */
    const char *path;                  /* kept alive by the user value */
    const EVP_MD *kept_digest;         /* kind of the digest that is kept; NULL for none */
    unsigned char md[EVP_MAX_MD_SIZE]; /* the digest last requested */
    size_t md_len;
    bool checks_reads; /* it may have had contents, which only a permission to read reveals */
    /* in the env's while it has an output: the host closes the rest */
    struct spt_resource resource;
};

/* One operation on a file. `next_job` starts the next job, and returns false if there is none
 * left. */
struct spt_file_op {
    septet_op op;
    struct spt_file *file; /* kept alive by its handle on the stack */
    bool (*next_job)(struct spt_file_op *file_op);
    /* of a method: pushes its results, or raises */
    int (*push)(struct spt_file_op *file_op, lua_State *L);
    const char *verb; /* what it does, for messages */
    union {
        struct spt_env *env;   /* of an opening */
        struct spt_held *held; /* what has the bytes; kept alive by the stack */
        const char *bytes; /* bytes to write, or the path to commit to; kept alive by the stack */
    };
    size_t len;
    const char *failed_step; /* verb of the step that failed */
    int error;               /* libuv's error number */
    uint8_t flags;           /* SPT_DISK_FILE_... */
    bool begun;
    bool ignores_errors; /* an earlier error does not fail this operation */
};
_Static_assert(sizeof(struct spt_file_op) <= SPT_SLOT_SIZE,
               "it needs no memory of Lua's to wait in");

/* Closes the file without a wait. A closed file is a no-op. */
void spt_file_close(struct spt_file *file);

/* Starts the next job of an operation, `ud`, or completes it. Called when the output is idle. */
void spt_file_next_job(void *ud);

/* Returns a new operation on the file at index 1, named `verb` in messages. Raises if that is
 * closed, or another task uses it. */
struct spt_file_op *spt_file_new_op(lua_State *L, const char *verb,
                                    bool (*next_job)(struct spt_file_op *),
                                    int (*push)(struct spt_file_op *, lua_State *));

/* Raises the IoError of an operation that failed. */
void spt_file_check_done(const struct spt_file_op *file_op, lua_State *L);

void spt_file_describe(const septet_op *op, char *text, size_t size);

/* Raises IoError for libuv's error number `error` of a step named by `verb`. libuv reports a path
 * that leads to no regular file as an invalid argument. */
int spt_file_raise(lua_State *L, const char *path, const char *verb, int error);

/* Returns the path at index `arg`. Raises Usage if it is not a string, or has a NUL. */
const char *spt_file_check_path(lua_State *L, int arg);

#endif
