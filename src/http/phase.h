/* SPDX-License-Identifier: MIT */
/* The phases of a request, and the reason why it failed in one. */
#ifndef SPT_HTTP_PHASE_H
#define SPT_HTTP_PHASE_H

#include <stdbool.h>

/* The phases, each with the word by which errors and timeouts name it. */
#define SPT_PHASE_MAP(XX)                                                                          \
    XX(QUEUED, "queue")                                                                            \
    XX(RESOLVING, "dns")                                                                           \
    XX(CONNECTING, "connect")                                                                      \
    XX(TLS, "tls")                                                                                 \
    XX(SENDING, "send")                                                                            \
    XX(WAITING, "wait")                                                                            \
    XX(RECEIVING, "receive")                                                                       \
    XX(ENDED, "ended")

enum spt_phase {
#define XX(name, word) SPT_PHASE_##name,
    SPT_PHASE_MAP(XX)
#undef XX
};
const char *spt_phase_name(enum spt_phase phase);

/* Why a request failed. `code` and `reason` are static words that scripts match on. */
struct spt_failure {
    const char *code;   /* "dns", "connect", "timeout", ...; NULL if it did not fail */
    const char *reason; /* a finer word, such as "refused" or "first_byte"; may be NULL */
    enum spt_phase phase;
    bool headed; /* the head of a final response had arrived */
    /* owned message, libcurl's or ours; NULL if there is none or memory was out */
    char *text;
};

#endif
