/* The words for the status codes: one X-macro in the public header, read here. */
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
