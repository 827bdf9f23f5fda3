/* SPDX-License-Identifier: MIT */
/* CSV: a text has the same rows, or the same error, in one piece and byte by byte; what was read is
 * read again from what is written of it. */
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host host;
    if (!host.septet)
        host_open(&host, "csv.lua", SEPTET_CLOCK_VIRTUAL);
    host_run(&host, data, size);
    return 0;
}
