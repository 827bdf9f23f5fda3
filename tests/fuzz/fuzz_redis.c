/* SPDX-License-Identifier: MIT */
/* Replies of Redis: hiredis' reader makes the same values of them in one piece and byte by byte,
 * and none that is larger than it may be. */
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "redis/value.h"

enum { ROOM = 4096, SHOWN = 1 << 20 };

/* What a run has read, as a text. */
struct run {
    redisReader *reader;
    struct spt_redis_room room;
    bool failed;
    char *text; /* of SHOWN bytes, static */
    size_t len;
};

static void add(struct run *run, const void *bytes, size_t n)
{
    CHECK(n <= SHOWN - run->len);
    memcpy(run->text + run->len, bytes, n);
    run->len += n;
}

/* Returns the number of bytes of texts and items. */
static size_t show(struct run *run, const struct spt_redis_value *value)
{
    size_t size = value->kind == SPT_REDIS_ARRAY ? value->len * sizeof(void *) : value->len;
    char kind = (char)('0' + value->kind);
    add(run, &kind, 1);
    add(run, &value->integer, sizeof value->integer);
    add(run, &value->len, sizeof value->len);
    for (size_t i = 0; value->kind == SPT_REDIS_ARRAY && i < value->len; i++) {
        CHECK(value->items[i]);
#ifdef SPT_FUZZ_PLANT
        CHECK(value->items[i]->kind != SPT_REDIS_ERROR); /* an error in a list is read as one */
#endif
        size += show(run, value->items[i]);
    }
    if (value->kind == SPT_REDIS_TEXT || value->kind == SPT_REDIS_ERROR) {
        CHECK(value->text[value->len] == '\0');
        add(run, value->text, value->len);
    }
    return size;
}

static void feed(struct run *run, const uint8_t *data, size_t n)
{
    void *reply = NULL;
    if (run->failed || redisReaderFeed(run->reader, (const char *)data, n) != REDIS_OK) {
        run->failed = true;
        return;
    }
    for (;;) {
        run->failed = redisReaderGetReply(run->reader, &reply) != REDIS_OK;
        if (run->failed || !reply || run->len > SHOWN / 2)
            break;
        CHECK(show(run, reply) <= run->room.max);
        spt_redis_value_free(reply);
    }
    if (!run->failed)
        spt_redis_value_free(reply);
}

static void begin(struct run *run, char *text)
{
    *run = (struct run){.room.max = ROOM, .text = text};
    run->reader = spt_redis_value_reader(&run->room);
    CHECK(run->reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char texts[2][SHOWN];
    struct run whole, parts;
    if (size > 2048)
        return 0;
    begin(&whole, texts[0]);
    begin(&parts, texts[1]);
    feed(&whole, data, size);
    for (size_t i = 0; i < size; i++)
        feed(&parts, data + i, 1);
    CHECK(whole.failed == parts.failed);
    CHECK(whole.len == parts.len && memcmp(whole.text, parts.text, whole.len) == 0);
    redisReaderFree(whole.reader);
    redisReaderFree(parts.reader);
    return 0;
}
