/* SPDX-License-Identifier: MIT */
/* Expands the X-macro of the public header into the texts of the statuses. */
#include "septet/septet.h"

const char *septet_strerror(int status)
{
    switch (status) {
#define XX(name, value, text)                                                                      \
    case SEPTET_##name:                                                                            \
        return text;
        SEPTET_STATUS_MAP(XX)
#undef XX
    }
    return "unknown status";
}
