/* The phases of a request, and why it failed in one. */
#ifndef SPT_HTTP_PHASE_H
#define SPT_HTTP_PHASE_H

/* Where a request is; also what a timeout names. */
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

/* Why a request failed. `code` and `reason` are static words: what scripts match on. */
struct spt_failure {
    const char *code;   /* "dns", "connect", "timeout", ...; NULL: it did not fail */
    const char *reason; /* the finer word: "refused", "first_byte", ...; may be NULL */
    enum spt_phase phase;
    /* owned: libcurl's own words, or ours; NULL: there are none, or no memory for them */
    char *text;
};

#endif
