/* SPDX-License-Identifier: MIT */
/* A reader: of a file, of standard input, or the reading half of a stream. It has a name for
 * messages, limits, and an input that it may own. Knows no operation. */
#ifndef SPT_OP_READER_H
#define SPT_OP_READER_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/scope.h"
#include "core/timer.h"

#define SPT_READER_META "septet.io.reader"

struct spt_env;
struct spt_incoming;

struct spt_reader {
    struct spt_incoming *input; /* NULL before it is opened and once detached */
    bool owns;                  /* owns the input; else it is the host's standard input */
    bool closed;
    size_t max_line;     /* bytes */
    uint64_t timeout_ns; /* of each call; SPT_NEVER: none */
    struct spt_timer timer;
    void *reading; /* operation that waits, or has yet to take its result; NULL if none */
    /* ends the wait of `reading`: its task raises IoError with the code "closed" */
    void (*abort)(struct spt_reader *reader);
    const char *noun;  /* static; what messages call it: "reader" */
    const char *path;  /* its name; kept alive by the user value */
    const char *field; /* static; the field of an IoError that has the name: "path" */
    /* called when it closes, before its input is freed; NULL: nothing else uses that */
    void (*on_close)(struct spt_reader *reader);
    /* in the env's while it has an input: the host closes the rest */
    struct spt_resource resource;
};

/* Initialises a reader that has no input yet. */
void spt_reader_init(struct spt_reader *reader, const char *path, size_t max_line);

/* Gives the reader its input, and the env the reader. */
void spt_reader_attach(struct spt_reader *reader, struct spt_env *env, struct spt_incoming *input);

/* Closes the reader, and frees the input if it owns it. A closed reader is a no-op. */
void spt_reader_detach(struct spt_reader *reader);

/* Closes the reader. A task that waits for it raises IoError, with the code "closed". */
void spt_reader_close(struct spt_reader *reader);

/* The methods of a type of userdata that begin with a spt_reader: those that read, and those that
 * close it. */
extern const luaL_Reg spt_reader_methods[];
extern const luaL_Reg spt_reader_closing[];

/* Raises the IoError on top of the stack. */
int spt_reader_raise(lua_State *L, const struct spt_reader *reader, const char *operation,
                     const char *code);

/* Raises IoError with the code "closed". */
int spt_reader_raise_closed(lua_State *L, const struct spt_reader *reader, const char *operation);

/* Raises IoError with the code "timeout". */
int spt_reader_raise_timeout(lua_State *L, const struct spt_reader *reader, const char *operation);

/* Raises Usage if the reader at index 1 is closed, else returns it. */
struct spt_reader *spt_reader_check_open(lua_State *L);

#endif
