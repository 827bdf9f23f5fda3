/* SPDX-License-Identifier: MIT */
/* The register of the openers of the files in op/. Each adds its functions to the table on top of
 * the stack. */
#ifndef SPT_OP_OPENERS_H
#define SPT_OP_OPENERS_H

#include <lua.h>

struct spt_env;

void spt_open_sleep(lua_State *L, struct spt_env *env);
void spt_open_join(lua_State *L, struct spt_env *env);
void spt_open_completions(lua_State *L, struct spt_env *env);
void spt_open_block(lua_State *L, struct spt_env *env);
void spt_open_block_run(lua_State *L, struct spt_env *env);
void spt_open_block_spawn(lua_State *L, struct spt_env *env);
void spt_open_block_unwind(lua_State *L, struct spt_env *env);
void spt_open_http(lua_State *L, struct spt_env *env);
void spt_open_wait_idle(lua_State *L, struct spt_env *env);
void spt_open_wall_clock(lua_State *L, struct spt_env *env);
void spt_open_event(lua_State *L, struct spt_env *env);
void spt_open_future(lua_State *L, struct spt_env *env);
void spt_open_semaphore(lua_State *L, struct spt_env *env);
void spt_open_lock(lua_State *L, struct spt_env *env);
void spt_open_channel(lua_State *L, struct spt_env *env);
void spt_open_channel_sender(lua_State *L, struct spt_env *env);
void spt_open_io(lua_State *L, struct spt_env *env);
void spt_open_io_open(lua_State *L, struct spt_env *env);
void spt_open_io_rest(lua_State *L, struct spt_env *env);
void spt_open_stream_write(lua_State *L, struct spt_env *env);
void spt_open_file(lua_State *L, struct spt_env *env);
void spt_open_file_held(lua_State *L, struct spt_env *env);
void spt_open_file_open(lua_State *L, struct spt_env *env);
void spt_open_net(lua_State *L, struct spt_env *env);
void spt_open_hash_file(lua_State *L, struct spt_env *env);
void spt_open_fs(lua_State *L, struct spt_env *env);
void spt_open_load(lua_State *L, struct spt_env *env);
void spt_open_gate(lua_State *L, struct spt_env *env);
void spt_open_process(lua_State *L, struct spt_env *env);
void spt_open_html(lua_State *L, struct spt_env *env);
void spt_open_thread(lua_State *L, struct spt_env *env);
void spt_open_redis(lua_State *L, struct spt_env *env);
void spt_open_sqlite(lua_State *L, struct spt_env *env);
void spt_open_census(lua_State *L, struct spt_env *env);

#endif
