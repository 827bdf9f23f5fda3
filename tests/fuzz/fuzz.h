/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: an input that is taken apart from its front, and a check that stays
 * in every build. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What is left of an input. */
struct input {
    const uint8_t *data;
    size_t len;
};

/* Takes the next byte; 0 behind the end. */
static inline uint8_t input_byte(struct input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

/* Takes a number below `n`. */
static inline unsigned input_below(struct input *in, unsigned n)
{
    unsigned value = input_byte(in);
    if (n > 256)
        value = value << 8 | input_byte(in);
    return value % n;
}

/* Aborts the process, which is how libFuzzer learns of a finding. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
