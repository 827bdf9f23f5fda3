/* SPDX-License-Identifier: MIT */
/* Handles by which scripts read from and write to a stream: a reader, a writer, or both in one. A
 * handle is pushed without a stream, so that nothing can fail once there is one. Knows neither
 * addresses nor processes. */
#ifndef SPT_OP_STREAM_HANDLE_H
#define SPT_OP_STREAM_HANDLE_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#include "op/reader.h"

#define SPT_STREAM_WRITER_META "septet.io.stream_writer"

struct spt_env;
struct spt_stream;

struct spt_stream_handle {
    struct spt_reader reader; /* also of a writer: it owns the stream */
    void *writing;            /* operation that waits for the stream to be flushed; NULL if none */
    void (*abort_write)(struct spt_stream_handle *handle); /* ends its wait */
    struct spt_timer write_timer;
};

/* What a handle is, and its limits. */
struct spt_stream_kind {
    const char *meta;    /* SPT_READER_META, SPT_STREAM_WRITER_META, or one of the caller's */
    const char *noun;    /* static; what messages call it: "reader" */
    const char *field;   /* static; the field of an IoError that has the name: "path", "address" */
    size_t max_line;     /* bytes */
    uint64_t timeout_ns; /* of each call; SPT_NEVER: none */
};

/* Pushes a handle without a stream, which is named by the string at index `name`. The userdata has
 * `size` bytes, of which the handle is the first member, and one user value for the name. */
struct spt_stream_handle *spt_stream_handle_push(lua_State *L, size_t size, int name,
                                                 const struct spt_stream_kind *kind);

/* Ends the wait of a task that writes. Is the `on_close` of the handle's reader; one that replaces
 * it calls it. */
void spt_stream_handle_on_close(struct spt_reader *reader);

/* Gives the handle its stream. The host closes it at its end, if the script has not. */
void spt_stream_handle_attach(struct spt_stream_handle *handle, struct spt_env *env,
                              struct spt_stream *stream);

/* Returns the stream, NULL before it has one and once it is closed. */
struct spt_stream *spt_stream_handle_stream(const struct spt_stream_handle *handle);

/* The methods `write` and `shutdown` of handles that read and write. */
extern const luaL_Reg spt_stream_handle_methods[];

#endif
