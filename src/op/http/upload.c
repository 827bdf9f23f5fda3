/* SPDX-License-Identifier: MIT */
/* upload: lets a task write the pieces of a body that another task's request sends. The writer
 * waits while enough bytes are queued. */
#include <lauxlib.h>

#include "core/check.h"
#include "core/error.h"
#include "core/op.h"
#include "http/attempt.h"
#include "op/env.h"
#include "op/http/openers.h"
#include "op/http/upload_handle.h"

static int upload_start(septet_op *op)
{
    struct spt_upload_handle *handle = ((struct spt_upload_op *)op)->handle;
    if (spt_upload_handle_has_room(handle) || handle->ended)
        septet_op_done(op, SEPTET_OK);
    else
        handle->writer = (struct spt_upload_op *)op;
    return SEPTET_OK;
}

static void upload_cancel(septet_op *op)
{
    ((struct spt_upload_op *)op)->handle->writer = NULL;
}

/* Returns true if the request has not ended. */
static int upload_push(septet_op *op, lua_State *L)
{
    lua_pushboolean(L, !((struct spt_upload_op *)op)->handle->ended);
    return 1;
}

static const septet_op_type upload_type = {
    .name = "upload",
    .size = sizeof(struct spt_upload_op),
    .flags = SEPTET_OP_EXTERNAL,
    .start = upload_start,
    .cancel = upload_cancel,
    .push = upload_push,
};

static struct spt_upload_handle *check(lua_State *L)
{
    return spt_check_self(L, "upload");
}

/* http_upload(length): returns a body to write, of `length` bytes or, if that is nil, of any
 * number. */
static int l_upload(lua_State *L)
{
    int64_t length = lua_isnoneornil(L, 1) ? -1 : (int64_t)spt_check_count(L, 1, 0);
    struct spt_upload_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    *handle = (struct spt_upload_handle){0};
    spt_upload_init(&handle->upload, length);
    luaL_setmetatable(L, SPT_UPLOAD_META);
    return 1;
}

/* upload:write(bytes): appends bytes and waits until there is room for more. Returns false once the
 * request has ended. */
static int l_write(lua_State *L)
{
    struct spt_upload_handle *handle = check(L);
    size_t len;
    const char *bytes = spt_check_string(L, 2, &len);
    if (handle->writer)
        return spt_error_usage(L, "another task writes to the upload");
    struct spt_upload_op *op =
        (struct spt_upload_op *)spt_op_new(L, spt_env(L)->sched, &upload_type);
    op->handle = handle;
    int rc = handle->ended ? SEPTET_OK : spt_upload_append(&handle->upload, bytes, len);
    if (rc == SEPTET_ETOOBIG)
        return spt_error_usage(L, "the upload is longer than its length");
    if (rc != SEPTET_OK)
        return luaL_error(L, "%s", septet_strerror(rc));
    if (handle->request)
        spt_attempt_resume(handle->request);
    return septet_op_await(L, &op->op);
}

/* upload:finish(): ends the body. */
static int l_finish(lua_State *L)
{
    struct spt_upload_handle *handle = check(L);
    handle->upload.ended = true;
    if (handle->request)
        spt_attempt_resume(handle->request);
    return 0;
}

/* upload:abort(): ends the body early; the request fails. */
static int l_abort(lua_State *L)
{
    struct spt_upload_handle *handle = check(L);
    if (handle->request)
        spt_attempt_abort(handle->request, "upload", "the body's producer failed");
    return 0;
}

static int l_gc(lua_State *L)
{
    struct spt_upload_handle *handle = spt_check_self(L, "upload");
    spt_upload_release(&handle->upload);
    return 0;
}

static const luaL_Reg methods[] = {
    {"write", l_write}, {"finish", l_finish}, {"abort", l_abort}, {"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"http_upload", l_upload}, {NULL, NULL}};

void spt_open_http_upload(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_UPLOAD_META, methods);
    spt_add_functions(L, env, functions);
}
