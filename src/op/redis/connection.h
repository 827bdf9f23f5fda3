/* SPDX-License-Identifier: MIT */
/* A connection to Redis, as our modules have it: a handle that belongs to the host. */
#ifndef SPT_OP_REDIS_CONNECTION_H
#define SPT_OP_REDIS_CONNECTION_H

#include <lua.h>
#include <stdbool.h>

#include "core/scope.h"
#include "op/dial_wait.h"
#include "redis/client.h"

#define SPT_REDIS_META "septet.redis.connection"

struct spt_env;

/* The userdata. Its user value is its name. */
struct spt_redis_handle {
    struct spt_redis *redis; /* owned; NULL before it is connected and once it is closed */
    struct spt_dialled dialled;
    const char *name; /* of the server, for messages; kept alive by the user value */
    struct spt_redis_limits limits;
    bool secure;                  /* by TLS */
    struct spt_resource resource; /* in the env's while it is open */
};

/* Prepares a zeroed handle. */
void spt_redis_handle_init(struct spt_redis_handle *handle);

/* Closes the connection. A closed one is a no-op. */
void spt_redis_handle_close(struct spt_redis_handle *handle);

/* Pushes nil, the code and the words. Returns 3. */
int spt_redis_push_failure(lua_State *L, const char *code, const char *words);

#endif
