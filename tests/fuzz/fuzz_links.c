/* SPDX-License-Identifier: MIT */
/* Link headers: whatever the line, each link has its parts, and a link that is written as RFC 8288
 * says comes back the same. */
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host host;
    if (!host.septet)
        host_open(&host, "links.lua", SEPTET_CLOCK_VIRTUAL);
    host_run(&host, data, size);
    return 0;
}
