/* SPDX-License-Identifier: MIT */
/* The handle is a resource of the env, which the host releases at its end. */
#include "op/redis/connection.h"

#include "base/list.h"

void spt_redis_handle_close(struct spt_redis_handle *handle)
{
    struct spt_redis *redis = handle->redis;
    handle->redis = NULL;
    spt_link_remove(&handle->resource.link);
    spt_redis_free(redis);
}

static void on_host_end(struct spt_resource *resource)
{
    spt_redis_handle_close(SPT_OF(resource, struct spt_redis_handle, resource));
}

void spt_redis_handle_init(struct spt_redis_handle *handle)
{
    handle->resource.release = on_host_end;
    spt_link_init(&handle->resource.link);
}

int spt_redis_push_failure(lua_State *L, const char *code, const char *words)
{
    lua_pushnil(L);
    lua_pushstring(L, code);
    lua_pushstring(L, words);
    return 3;
}
