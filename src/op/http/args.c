/* SPDX-License-Identifier: MIT */
/* Checks types and values before anything is made. */
#include "op/http/args.h"

#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/timer.h"
#include "op/env.h"
#include "op/http/headers.h"
#include "op/http/options.h"
#include "op/http/session.h"
#include "op/http/upload_handle.h"

static void check_body(lua_State *L, struct spt_http_args *args)
{
    const int arg = SPT_HTTP_ARG_BODY;
    args->upload = luaL_testudata(L, arg, SPT_UPLOAD_META);
    if (args->upload && args->upload->used)
        spt_error_usage(L, "an upload is for one request");
    if (!args->upload && !lua_isnoneornil(L, arg))
        args->body = spt_check_string(L, arg, &args->body_len);
}

void spt_http_args_check(lua_State *L, struct spt_env *env, struct spt_http_args *args)
{
    size_t method_len, url_len;
    *args = (struct spt_http_args){
        .handle = spt_check_udata(L, SPT_HTTP_ARG_SESSION, SPT_SESSION_META, "session"),
        .options = spt_check_udata(L, SPT_HTTP_ARG_OPTIONS, SPT_OPTIONS_META, "options"),
    };
    struct spt_headers_handle *headers =
        spt_check_udata(L, SPT_HTTP_ARG_HEADERS, SPT_HEADERS_META, "headers");
    args->headers = headers->headers;
    args->method = spt_check_string(L, SPT_HTTP_ARG_METHOD, &method_len);
    args->url = spt_check_string(L, SPT_HTTP_ARG_URL, &url_len);
    check_body(L, args);
    uint64_t total = spt_check_opt_seconds(L, SPT_HTTP_ARG_TIMEOUT, SPT_NEVER);
    if (!args->handle->session)
        spt_error_usage(L, "the session is closed");
    if (strlen(args->url) != url_len || strlen(args->method) != method_len)
        spt_error_usage(L, "a NUL in the URL or the method");
    if (lua_gettop(L) >= SPT_HTTP_ARG_NUMBER) {
        args->number.request = (uint32_t)luaL_optinteger(L, SPT_HTTP_ARG_NUMBER, 0);
        args->number.resend = (uint16_t)luaL_optinteger(L, SPT_HTTP_ARG_RESEND, 0);
    }
    if (total != SPT_NEVER)
        args->deadline_ns = spt_timer_instant(spt_sched_clock(env->sched), total);
}
