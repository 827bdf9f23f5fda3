/* SPDX-License-Identifier: MIT */
/* Heads of requests and trailers: cut anywhere, they have the same outcome as in one piece. What is
 * taken has lines that a strict reader takes, and one framing. */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "http/headers.h"
#include "http/request_head.h"
#include "septet/septet.h"

struct run {
    struct spt_request_head head;
    int rc;
    size_t used;
};

static void feed(struct run *run, const uint8_t *data, size_t len)
{
    if (run->rc != SEPTET_OK || run->head.head.done || len == 0)
        return;
#ifdef SPT_FUZZ_PLANT
    if (len == 1 && *data == '\r')
        return; /* the byte is lost where it comes alone */
#endif
    size_t used = 0;
    uint8_t *copy = malloc(len); /* so that a read behind it is seen */
    CHECK(copy);
    memcpy(copy, data, len);
    run->rc = spt_request_head_feed(&run->head, (const char *)copy, len, &used);
    free(copy);
    CHECK(used <= len);
    run->used += used;
}

/* Checks each header line: a token, a colon right behind it, and nothing that is a control. */
static void check_lines(const char *text, size_t len, bool trailers)
{
    const char *end = text + len, *line = text;
    for (bool first = true; line < end; first = false) {
        const char *cr = memchr(line, '\r', (size_t)(end - line)), *stop = cr ? cr : end;
        for (const char *p = line; p < stop; p++)
            CHECK(((unsigned char)*p >= ' ' || *p == '\t') && *p != 127);
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        if (!first)
            CHECK(colon && spt_headers_is_token(line, (size_t)(colon - line)));
        else if (!trailers)
            CHECK(stop - line >= 12 && memcmp(stop - 9, " HTTP/1.", 8) == 0);
        CHECK(!cr || (cr + 1 < end && cr[1] == '\n'));
        line = cr ? cr + 2 : end;
    }
}

static void check(const struct run *run, bool trailers)
{
    const struct spt_head *head = &run->head.head;
    CHECK(run->used <= SPT_HEAD_MAX && run->head.lines.len <= run->used);
    CHECK(!head->transfer || (head->chunked && !head->undone));
    CHECK(!head->transfer || head->length < 0);
    CHECK(trailers || head->version >= 10);
    if (run->head.lines.len > 0)
        check_lines(run->head.lines.data, run->head.lines.len, trailers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    bool trailers = input_byte(&in) & 1;
    size_t cut = input_below(&in, 1024);
    struct run runs[3] = {0}; /* whole, in two parts, byte by byte */
    for (int i = 0; i < 3; i++)
        spt_request_head_init(&runs[i].head, trailers);
    if (cut > in.len)
        cut = in.len;
    feed(&runs[0], in.data, in.len);
    feed(&runs[1], in.data, cut);
    feed(&runs[1], in.data + cut, in.len - cut);
    for (size_t i = 0; i < in.len; i++)
        feed(&runs[2], in.data + i, 1);
    for (int i = 1; i < 3; i++) {
        CHECK(runs[i].rc == runs[0].rc && runs[i].used == runs[0].used);
        CHECK(runs[i].head.head.fault == runs[0].head.head.fault);
        CHECK(runs[i].head.head.done == runs[0].head.head.done);
        CHECK(runs[i].head.lines.len == runs[0].head.lines.len);
    }
    CHECK(runs[0].rc == SEPTET_OK || runs[0].rc == SEPTET_ETOOBIG || runs[0].head.head.fault);
    if (runs[0].rc == SEPTET_OK && runs[0].head.head.done)
        check(&runs[0], trailers);
    for (int i = 0; i < 3; i++)
        spt_request_head_release(&runs[i].head);
    return 0;
}
