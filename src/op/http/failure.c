/* SPDX-License-Identifier: MIT */
/* Makes HttpErrors. Their text is safe to show. */
#include "op/http/failure.h"

#include <lauxlib.h>
#include <string.h>

#include "base/redact.h"
#include "core/error.h"
#include "http/request.h"
#include "op/env.h"
#include "op/http/openers.h"
#include "op/http/text.h"

enum { TEXT_SHOWN = 1024 }; /* bytes of a failure's text in an error */

static const char headers_key; /* in the registry: the function of http_error_headers() */

static const char *message_of(const struct spt_failure *failure)
{
    if (failure->text)
        return failure->text;
    if (strcmp(failure->code, "memory") == 0)
        return "out of memory";
    return failure->reason ? failure->reason : failure->code;
}

void spt_http_failure_set_response(lua_State *L, int status, int lines)
{
    lines = lua_absindex(L, lines);
    luaL_checkstack(L, 4, NULL);
    lua_pushinteger(L, status);
    lua_setfield(L, -2, "status");
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &headers_key) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return;
    }
    lua_pushvalue(L, lines);
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "headers");
}

/* Pushes the lines of the response's head, or nil. */
static void push_lines(lua_State *L, const struct spt_response *response)
{
    if (response)
        lua_pushlstring(L, response->head.data, response->head.len);
    else
        lua_pushnil(L);
}

void spt_http_failure_push(lua_State *L, const struct spt_request *r)
{
    char room[SPT_HTTP_URL_MAX];
    const char *url = spt_redact_url(r->url, room, sizeof room);
    const struct spt_failure failure = r->failure;
    const struct spt_response *response = failure.headed ? r->response : NULL;
    const int status = response ? response->status : 0;
    char method_room[SPT_HTTP_METHOD_MAX], text_room[TEXT_SHOWN];
    const char *method = spt_redact_url(r->method, method_room, sizeof method_room);
    const char *text = spt_http_text_shown(message_of(&failure), text_room, sizeof text_room);
    push_lines(L,
               response); /* a finalizer may close the stream behind it, which frees the request */
    spt_error_push(L, "HttpError", "%s %s: %s", method, url, text);
    lua_pushstring(L, failure.code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, failure.reason);
    lua_setfield(L, -2, "reason");
    lua_pushstring(L, spt_phase_name(failure.phase));
    lua_setfield(L, -2, "phase");
    lua_pushstring(L, url);
    lua_setfield(L, -2, "url");
    lua_pushstring(L, method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, text);
    lua_setfield(L, -2, "text");
    lua_pushinteger(L, 1);
    lua_setfield(L, -2, "attempts");
    if (response)
        spt_http_failure_set_response(L, status, -2);
    lua_remove(L, -2);
}

int spt_http_failure_raise(lua_State *L, const struct spt_request *r)
{
    spt_http_failure_push(L, r);
    return lua_error(L);
}

int spt_http_failure_raise_memory(lua_State *L, const char *method, const char *url)
{
    const struct spt_request r = {.method = method, .url = url, .failure.code = "memory"};
    return spt_http_failure_raise(L, &r);
}

/* http_error_headers(fn): has an error behind the head of a response get fn(lines) as `headers`. */
static int l_error_headers(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &headers_key);
    return 0;
}

static const luaL_Reg functions[] = {{"http_error_headers", l_error_headers}, {NULL, NULL}};

void spt_open_http_failure(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
