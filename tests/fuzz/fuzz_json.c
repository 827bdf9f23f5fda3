/* SPDX-License-Identifier: MIT */
/* JSON: a text that is accepted comes back the same from its own encoding, and holds no NUL; one
 * that is refused is refused by a JsonError with a place in the text. */
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host host;
    if (!host.septet)
        host_open(&host, "json.lua", SEPTET_CLOCK_VIRTUAL);
    host_run(&host, data, size);
    return 0;
}
