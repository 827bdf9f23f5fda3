/* SPDX-License-Identifier: MIT */
/* Charsets: whatever the label and the bytes, the text is UTF-8 or the label is unknown. */
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_host host;
    if (!host.septet)
        host_open(&host, "charset.lua", SEPTET_CLOCK_VIRTUAL);
    host_run(&host, data, size);
    return 0;
}
