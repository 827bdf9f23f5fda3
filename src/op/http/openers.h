/* SPDX-License-Identifier: MIT */
/* The openers of the files in op/http/. */
#ifndef SPT_OP_HTTP_OPENERS_H
#define SPT_OP_HTTP_OPENERS_H

#include <lua.h>

struct spt_env;
struct spt_http_pool;

void spt_open_http_options(lua_State *L, struct spt_env *env);
void spt_open_http_session(lua_State *L, struct spt_env *env);
void spt_open_http_cookies(lua_State *L, struct spt_env *env);
void spt_open_http_headers(lua_State *L, struct spt_env *env);
void spt_open_http_header_block(lua_State *L, struct spt_env *env);
void spt_open_http_failure(lua_State *L, struct spt_env *env);
void spt_open_http_request_head(lua_State *L, struct spt_env *env);
void spt_open_http_features(lua_State *L, struct spt_env *env);
void spt_open_http_url(lua_State *L, struct spt_env *env);
void spt_open_http_stream(lua_State *L, struct spt_env *env, struct spt_http_pool *pool);
void spt_open_http_stream_read(lua_State *L, struct spt_env *env);
void spt_open_http_text(lua_State *L, struct spt_env *env);
void spt_open_http_upload(lua_State *L, struct spt_env *env);

#endif
