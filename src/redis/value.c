/* SPDX-License-Identifier: MIT */
/* Gives hiredis the functions that make a value. hiredis takes NULL for an end of memory and fails
 * its reader, which is how a value that is refused ends the connection. */
#include "redis/value.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* hiredis 1.0 counts the elements of an array as size_t, and knows more kinds. */
#if HIREDIS_MAJOR >= 1
typedef size_t count_of_elements;
#else
typedef int count_of_elements;
#endif

/* Returns a zeroed value with a text of `len` bytes, as an item of its parent if it has one. */
static struct spt_redis_value *make(const redisReadTask *task, enum spt_redis_kind kind, size_t len)
{
    struct spt_redis_room *room = task->privdata;
    struct spt_redis_value *value;
    if (!task->parent)
        room->used = 0;
    if (len > room->max || room->used > room->max - len)
        return NULL;
    value = calloc(1, sizeof *value + len + 1);
    if (!value)
        return NULL;
    room->used += sizeof *value + len;
    value->kind = kind;
    if (task->parent) {
        const struct spt_redis_value *parent = task->parent->obj;
        parent->items[task->idx] = value;
    }
    return value;
}

static void *create_text(const redisReadTask *task, char *text, size_t len)
{
    const bool is_error = task->type == REDIS_REPLY_ERROR;
    struct spt_redis_value *value = make(task, is_error ? SPT_REDIS_ERROR : SPT_REDIS_TEXT, len);
    if (!value)
        return NULL;
    memcpy(value->text, text, len);
    value->len = len;
    return value;
}

static void *create_array(const redisReadTask *task, count_of_elements n)
{
    struct spt_redis_room *room = task->privdata;
    if (task->type != REDIS_REPLY_ARRAY || (size_t)n > room->max / sizeof(void *))
        return NULL;
    struct spt_redis_value *value = make(task, SPT_REDIS_ARRAY, 0);
    if (!value || n == 0)
        return value;
    room->used += (size_t)n * sizeof(struct spt_redis_value *);
    value->items = calloc((size_t)n, sizeof(struct spt_redis_value *));
    if (!value->items) {
        /* hiredis frees the root, of which this value is already an item */
        if (!task->parent)
            free(value);
        return NULL;
    }
    value->len = (size_t)n;
    return value;
}

static void *create_integer(const redisReadTask *task, long long integer)
{
    struct spt_redis_value *value = make(task, SPT_REDIS_INTEGER, 0);
    if (value)
        value->integer = integer;
    return value;
}

static void *create_nil(const redisReadTask *task)
{
    return make(task, SPT_REDIS_NIL, 0);
}

static void free_object(void *object)
{
    spt_redis_value_free(object);
}

#if HIREDIS_MAJOR >= 1
static void *refuse_double(const redisReadTask *task, double number, char *text, size_t len)
{
    return NULL;
}

static void *refuse_bool(const redisReadTask *task, int is_true)
{
    return NULL;
}
#endif

static redisReplyObjectFunctions functions = {
    .createString = create_text,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
#if HIREDIS_MAJOR >= 1
    .createDouble = refuse_double,
    .createBool = refuse_bool,
#endif
};

struct redisReader *spt_redis_value_reader(struct spt_redis_room *room)
{
    redisReader *reader = redisReaderCreateWithFunctions(&functions);
    if (!reader)
        return NULL;
    reader->maxbuf = 0; /* hiredis 0.14 aborts if it finds no memory for a new buffer */
    reader->privdata = room;
    return reader;
}

void spt_redis_value_free(struct spt_redis_value *value)
{
    if (!value)
        return;
    for (size_t i = 0; value->items && i < value->len; i++)
        spt_redis_value_free(value->items[i]);
    free(value->items);
    free(value);
}
