/* SPDX-License-Identifier: MIT */
/* Blocks of the trace: the records with their strings, as bytes. */
#include "lua/trace_block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "septet/septet.h"
#include "support/cmocka.h"

#define RING 8192

static struct spt_trace trace;
static struct spt_trace_block *block;

static int setup(void **state)
{
    block = calloc(1, sizeof *block);
    return block && spt_trace_init(&trace, RING) == SEPTET_OK ? 0 : -1;
}

static int teardown(void **state)
{
    free(block);
    spt_trace_release(&trace);
    return 0;
}

/* Returns the entry of the block's strings with this number, and sets its size; NULL if there is
 * none. */
static const char *find(uint32_t id, bool text, uint32_t *size)
{
    const char *at = block->bytes;
    for (uint32_t i = 0; i < block->head.strings; i++) {
        uint32_t entry[2];
        memcpy(entry, at, sizeof entry);
        *size = entry[1] & 0x7fffffffu;
        if (entry[0] == id && (entry[1] >> 31) == text)
            return at + sizeof entry;
        at += sizeof entry + *size;
    }
    assert_true(at == block->bytes + block->len);
    return NULL;
}

static bool fill(uint64_t *cursor)
{
    struct spt_block_piece pieces[SPT_BLOCK_PIECES];
    if (!spt_trace_block_fill(block, &trace, cursor, UINT64_MAX, pieces))
        return false;
    size_t size = 0;
    for (unsigned i = 0; i < SPT_BLOCK_PIECES; i++)
        size += pieces[i].size;
    assert_int_equal(size, block->head.size + 8);
    assert_memory_equal(block->head.magic, "SPTB", 4);
    return true;
}

static void test_block_has_each_string_once(void **state)
{
    uint64_t cursor = 0;
    uint32_t size, source = spt_trace_intern(&trace, "a.lua");
    for (uint32_t i = 1; i <= 10; i++)
        spt_trace_spawn(&trace, i, i, 0, spt_trace_place(source, 3), spt_trace_place(source, 4));
    assert_true(fill(&cursor));
    assert_int_equal(block->head.units, 20);
    assert_int_equal(block->head.strings, 1);
    assert_memory_equal(find(source, false, &size), "a.lua", 5);
    assert_int_equal(size, 5);
    assert_false(fill(&cursor));
}

static void test_block_has_the_texts_that_are_left(void **state)
{
    uint64_t cursor = 0;
    uint32_t size, old = spt_trace_text(&trace, "old", 3);
    spt_trace_put(&trace, (struct spt_rec){.kind = SPT_REC_NAME, .a = old});
    for (int i = 0; i < 2000; i++)
        spt_trace_text(&trace, (char[1000]){0}, 1000);
    uint32_t young = spt_trace_text(&trace, "young", 5);
    spt_trace_put(&trace, (struct spt_rec){.kind = SPT_REC_MARK, .a = young});
    assert_true(fill(&cursor));
    assert_int_equal(block->head.units, 2);
    assert_null(find(old, true, &size));
    assert_memory_equal(find(young, true, &size), "young", 5);
}

/* However the sizes of records and strings fall, each record is in one block, with its strings. */
static void test_blocks_are_full_and_whole(void **state)
{
    char s[40000];
    uint64_t cursor = 0;
    uint32_t records = 0, blocks = 0, size;
    memset(s, 'x', sizeof s);
    spt_trace_set_level(&trace, 3);
    for (uint32_t i = 0; i < 20; i++)
        spt_trace_put(&trace, (struct spt_rec){.kind = SPT_REC_HEAD,
                                               .a = spt_trace_text(&trace, s, sizeof s - i)});
    while (fill(&cursor)) {
        blocks++;
        for (uint32_t i = 0; i < block->head.units; i++, records++) {
            assert_non_null(find(block->units[i].a, true, &size));
            assert_int_equal(size, sizeof s - records);
        }
    }
    assert_int_equal(records, 20);
    assert_int_equal(blocks, 4);
}

static void test_block_of_many_records_and_strings(void **state)
{
    uint64_t cursor = 0;
    uint32_t units = 0, size;
    for (uint32_t i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof name, "counter %u", i);
        spt_trace_put(&trace,
                      (struct spt_rec){.kind = SPT_REC_COUNT, .a = spt_trace_intern(&trace, name)});
    }
    while (fill(&cursor)) {
        units += block->head.units;
        for (uint32_t i = 0; i < block->head.units; i++)
            assert_non_null(find(block->units[i].a, false, &size));
    }
    assert_int_equal(units, 5000);
}

static void test_block_counts_what_was_lost(void **state)
{
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < RING + 7; i++)
        spt_trace_put(&trace, (struct spt_rec){.kind = SPT_REC_READY});
    assert_true(fill(&cursor));
    assert_int_equal(block->head.lost, 7);
    assert_int_equal(block->head.units, SPT_BLOCK_UNITS);
    assert_true(fill(&cursor));
    assert_int_equal(block->head.lost, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_block_has_each_string_once), T(test_block_has_the_texts_that_are_left),
        T(test_blocks_are_full_and_whole),  T(test_block_of_many_records_and_strings),
        T(test_block_counts_what_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
