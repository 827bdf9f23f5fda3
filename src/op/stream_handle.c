/* SPDX-License-Identifier: MIT */
/* A handle is a reader that owns the stream, with what writing needs. */
#include "op/stream_handle.h"

#include <lauxlib.h>
#include <string.h>

#include "base/list.h"
#include "loop/stream.h"
#include "op/env.h"

struct spt_stream *spt_stream_handle_stream(const struct spt_stream_handle *handle)
{
    struct spt_incoming *in = handle->reader.input;
    return in ? SPT_OF(in, struct spt_stream, in) : NULL;
}

/* Ends the wait of a task that writes, before the stream is freed. */
void spt_stream_handle_on_close(struct spt_reader *reader)
{
    struct spt_stream_handle *handle = SPT_OF(reader, struct spt_stream_handle, reader);
    if (handle->writing)
        handle->abort_write(handle);
}

struct spt_stream_handle *spt_stream_handle_push(lua_State *L, size_t size, int name,
                                                 const struct spt_stream_kind *kind)
{
    name = lua_absindex(L, name);
    struct spt_stream_handle *handle = lua_newuserdatauv(L, size, 1);
    memset(handle, 0, size);
    spt_reader_init(&handle->reader, lua_tostring(L, name), kind->max_line);
    handle->reader.noun = kind->noun;
    handle->reader.field = kind->field;
    handle->reader.timeout_ns = kind->timeout_ns;
    handle->reader.owns = true;
    handle->reader.on_close = spt_stream_handle_on_close;
    lua_pushvalue(L, name);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, kind->meta);
    return handle;
}

void spt_stream_handle_attach(struct spt_stream_handle *handle, struct spt_env *env,
                              struct spt_stream *stream)
{
    spt_reader_attach(&handle->reader, env, &stream->in);
}
