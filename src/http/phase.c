/* SPDX-License-Identifier: MIT */
/* The words of the phases, generated from SPT_PHASE_MAP. */
#include "http/phase.h"

const char *spt_phase_name(enum spt_phase phase)
{
    switch (phase) {
#define XX(name, word)                                                                             \
    case SPT_PHASE_##name:                                                                         \
        return word;
        SPT_PHASE_MAP(XX)
#undef XX
    }
    return "unknown";
}
