/* SPDX-License-Identifier: MIT */
/* Dates and Retry-After, as servers send them. */
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host host;
    if (!host.septet)
        host_open(&host, "date.lua", SEPTET_CLOCK_VIRTUAL);
    host_run(&host, data, size);
    return 0;
}
