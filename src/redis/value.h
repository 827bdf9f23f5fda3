/* SPDX-License-Identifier: MIT */
/* A reply of Redis: a tree of values in memory of its own, which hiredis' reader has built. Knows
 * no connection. */
#ifndef SPT_REDIS_VALUE_H
#define SPT_REDIS_VALUE_H

#include <stddef.h>
#include <stdint.h>

struct redisReader;

enum spt_redis_kind {
    SPT_REDIS_NIL,
    SPT_REDIS_INTEGER,
    SPT_REDIS_TEXT,
    SPT_REDIS_ERROR,
    SPT_REDIS_ARRAY,
};

struct spt_redis_value {
    enum spt_redis_kind kind;
    int64_t integer;
    size_t len;                     /* bytes of the text, or number of items */
    struct spt_redis_value **items; /* of an array, owned; NULL otherwise */
    char text[];                    /* of a text or an error, with a NUL */
};

/* Bytes of the reply that is being read. */
struct spt_redis_room {
    size_t used, max;
};

/* Makes a reader of values. A reply that is larger than `room->max`, or of a kind that no command
 * of ours is answered with, ends it with an error. `room` outlives the reader. Returns NULL if
 * memory is out. */
struct redisReader *spt_redis_value_reader(struct spt_redis_room *room);

/* Frees the tree; NULL is a no-op. */
void spt_redis_value_free(struct spt_redis_value *value);

#endif
