/* SPDX-License-Identifier: MIT */
/* Workarounds for faults of certain versions of libcurl. They depend on the version that runs, not
 * on that of the header. */
#ifndef SPT_HTTP_QUIRKS_H
#define SPT_HTTP_QUIRKS_H

/* Name, word, and the versions that have it: from the first, up to but without the second. */
#define SPT_QUIRK_MAP(XX)                                                                          \
    /* After a failed first address, the next is tried only once the time of the first is over. */ \
    XX(POKE, "poke", 0x000000, 0x080400)                                                           \
    /* A timer that was set once is not set again after a call that came early. */                 \
    XX(TIMEOUT, "timeout", 0x080a00, 0x080b01)                                                     \
    /* A first header line that is folded is joined to freed memory (curl's issue 11101). */       \
    XX(FOLD, "fold", 0x075300, 0x080101)                                                           \
    /* A Transfer-Encoding that was not asked for ends the transfer at the header. */              \
    XX(TRANSFER, "transfer", 0x080900, 0xffffff)                                                   \
    /* HTTP/2 may lose data, stall or spin. */                                                     \
    XX(HTTP2, "http2", 0x000000, 0x080700)                                                         \
    XX(HTTP2_SHUTDOWN, "http2_shutdown", 0x080900, 0x080a00)                                       \
    XX(HTTP2_TABLE, "http2_table", 0x080e00, 0x080e01)                                             \
    /* A paused stream of HTTP/2 holds a window of many megabytes. */                              \
    XX(HTTP2_PAUSE, "http2_pause", 0x000000, 0x080400)                                             \
    /* Over HTTP/2, a request is sent again only after a refusal, which is not reported. */        \
    XX(HTTP2_MUTE, "http2_mute", 0x000000, 0x080700)

enum spt_quirk {
#define XX(name, word, from, to) SPT_QUIRK_##name,
    SPT_QUIRK_MAP(XX)
#undef XX
        SPT_QUIRKS
};

#define SPT_HAS_QUIRK(quirks, name) (((quirks) >> SPT_QUIRK_##name & 1u) != 0)

/* True if HTTP/2 must not be used. */
#define SPT_NO_HTTP2(quirks)                                                                       \
    (SPT_HAS_QUIRK(quirks, HTTP2) || SPT_HAS_QUIRK(quirks, HTTP2_SHUTDOWN) ||                      \
     SPT_HAS_QUIRK(quirks, HTTP2_TABLE))

/* Returns the quirks of a version, as in curl_version_info(), one bit each. `changes` adds and
 * removes quirks by their words, such as "+poke,-http2"; it may be NULL. */
unsigned spt_quirks_of(unsigned version, const char *changes);

/* Returns the quirks of the libcurl that runs, with such changes. */
unsigned spt_quirks(const char *changes);

/* Returns why the libcurl that runs, with such changes, must not use HTTP/2, as a static string.
 * Returns NULL if it may. */
const char *spt_quirks_http2_refusal(const char *changes);

/* Returns the word of a quirk. */
const char *spt_quirks_word(enum spt_quirk quirk);

#endif
