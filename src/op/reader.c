/* SPDX-License-Identifier: MIT */
/* Closes a reader in two steps if a task has yet to take what it waited for: that task gets the
 * bytes, and then frees the input. */
#include "op/reader.h"

#include <stdio.h>

#include "base/list.h"
#include "base/time.h"
#include "core/check.h"
#include "core/error.h"
#include "loop/incoming.h"
#include "op/env.h"
#include "op/io_error.h"

static void on_host_end(struct spt_resource *resource)
{
    spt_reader_detach(SPT_OF(resource, struct spt_reader, resource));
}

void spt_reader_init(struct spt_reader *reader, const char *path, size_t max_line)
{
    *reader = (struct spt_reader){.max_line = max_line,
                                  .timeout_ns = SPT_NEVER,
                                  .noun = "reader",
                                  .path = path,
                                  .field = "path",
                                  .resource.release = on_host_end};
    spt_link_init(&reader->resource.link);
}

void spt_reader_attach(struct spt_reader *reader, struct spt_env *env, struct spt_incoming *input)
{
    reader->input = input;
    spt_env_add(env, &reader->resource);
}

void spt_reader_detach(struct spt_reader *reader)
{
    struct spt_incoming *input = reader->input;
    reader->closed = true;
    if (!input)
        return;
    if (reader->on_close)
        reader->on_close(reader);
    reader->input = NULL;
    spt_link_remove(&reader->resource.link);
    if (reader->owns)
        spt_incoming_free(input);
    else if (input->waiter == reader)
        input->waiter = NULL;
}

void spt_reader_close(struct spt_reader *reader)
{
    struct spt_incoming *input = reader->input;
    if (reader->closed)
        return;
    reader->closed = true;
    if (!input || input->waiter != reader) {
        spt_reader_detach(reader);
        return;
    }
    if (reader->on_close)
        reader->on_close(reader);
    if (spt_incoming_waits(input))
        reader->abort(reader);
}

/* --- errors --- */

int spt_reader_raise(lua_State *L, const struct spt_reader *reader, const char *operation,
                     const char *code)
{
    const struct spt_io_place place = {
        .operation = operation, .name = reader->path, .field = reader->field};
    return spt_io_error_raise_at(L, &place, code);
}

int spt_reader_raise_closed(lua_State *L, const struct spt_reader *reader, const char *operation)
{
    spt_error_push(L, "IoError", "the %s of '%s' was closed", reader->noun, reader->path);
    return spt_reader_raise(L, reader, operation, "closed");
}

int spt_reader_raise_timeout(lua_State *L, const struct spt_reader *reader, const char *operation)
{
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%.6g", spt_time_seconds(reader->timeout_ns));
    spt_error_push(L, "IoError", "cannot %s '%s': timed out after %s s", operation, reader->path,
                   seconds);
    return spt_reader_raise(L, reader, operation, "timeout");
}

struct spt_reader *spt_reader_check_open(lua_State *L)
{
    struct spt_reader *reader = spt_check_self(L, "reader");
    if (reader->closed)
        spt_error_usage(L, "the %s is closed", reader->noun);
    return reader;
}
