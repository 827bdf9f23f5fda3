/* SPDX-License-Identifier: MIT */
/* A connection, as scripts have it: a handle that reads and writes, with the addresses of both
 * sides. Knows neither how it is made nor servers. */
#ifndef SPT_OP_NET_CONNECTION_H
#define SPT_OP_NET_CONNECTION_H

#include <lua.h>

#include "net/address.h"
#include "net/listener.h"
#include "op/dial_wait.h"
#include "op/stream_handle.h"

#define SPT_CONNECTION_META "septet.net.connection"

struct spt_connection {
    struct spt_stream_handle handle;
    struct spt_dialled dialled;
    struct spt_accepted accepted; /* counts it among the connections of a server */
    char peer[SPT_ADDRESS_TEXT_SIZE];
    char local_address[SPT_ADDRESS_TEXT_SIZE];
};

/* The limits of a connection. */
struct spt_connection_limits {
    size_t max_line;     /* bytes */
    uint64_t timeout_ns; /* of each call; SPT_NEVER: none */
};

/* Pushes a connection without a stream, which is named by the string at index `name`. `field` is
 * that of an IoError with the name: "address", or "path" for a unix socket. */
struct spt_connection *spt_connection_push(lua_State *L, int name, const char *field,
                                           const struct spt_connection_limits *limits);

/* Gives the connection its stream, and notes the addresses. */
void spt_connection_attach(struct spt_connection *connection, struct spt_env *env,
                           struct spt_stream *stream);

/* Has a census count a connection that a script gets, which is to close it. */
void spt_connection_note(lua_State *L, struct spt_env *env,
                         const struct spt_connection *connection);

/* The fields of a type of objects. */
struct spt_fields_type {
    const char *meta;
    const char *what;         /* what messages call the object */
    const char *const *names; /* of the fields; ends with NULL */
    /* Pushes the value of the field with that index of the object at index 1. */
    void (*get)(lua_State *L, int field);
};

/* Sets the metatable's __index to a function that looks for a method, and then for a field. The
 * type is static. */
void spt_connection_set_fields(lua_State *L, const struct spt_fields_type *type);

#endif
