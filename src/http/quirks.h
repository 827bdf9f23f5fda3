/* What is wrong with some versions of libcurl, as far as anything is done about it. Keyed on the
 * version that runs, not on the header's. */
#ifndef SPT_HTTP_QUIRKS_H
#define SPT_HTTP_QUIRKS_H

/* Name, word, and the versions with it: from the first, up to but not with the second. */
#define SPT_QUIRK_MAP(XX)                                                                                \
    /* A first address that fails is not followed by the next until its share of the time is gone. */    \
    XX(POKE, "poke", 0x000000, 0x080400)                                                                 \
    /* A timer that was told of once is not told of again after a call that came early. */               \
    XX(TIMEOUT, "timeout", 0x080a00, 0x080b01)                                                           \
    /* A first header line that begins with a blank is folded onto freed memory (curl's issue 11101). */ \
    XX(FOLD, "fold", 0x075300, 0x080101)                                                                 \
    /* A Transfer-Encoding that was not asked for ends the transfer at the header. */                    \
    XX(TRANSFER, "transfer", 0x080900, 0xffffff)                                                         \
    /* HTTP/2 may lose data, stall or spin. */                                                           \
    XX(HTTP2, "http2", 0x000000, 0x080700)                                                               \
    XX(HTTP2_SHUTDOWN, "http2_shutdown", 0x080900, 0x080a00)                                             \
    XX(HTTP2_TABLE, "http2_table", 0x080e00, 0x080e01)                                                   \
    /* A paused stream of HTTP/2 holds a window of many megabytes. */                                    \
    XX(HTTP2_PAUSE, "http2_pause", 0x000000, 0x080400)                                                   \
    /* Over HTTP/2, a request is sent again only after a refusal, of which nothing is told. */           \
    XX(HTTP2_MUTE, "http2_mute", 0x000000, 0x080700)

enum spt_quirk {
#define XX(name, word, from, to) SPT_QUIRK_##name,
    SPT_QUIRK_MAP(XX)
#undef XX
        SPT_QUIRKS
};

#define SPT_HAS_QUIRK(quirks, name) (((quirks) >> SPT_QUIRK_##name & 1u) != 0)

/* HTTP/2 is not for use. */
#define SPT_NO_HTTP2(quirks)                                                                       \
    (SPT_HAS_QUIRK(quirks, HTTP2) || SPT_HAS_QUIRK(quirks, HTTP2_SHUTDOWN) ||                      \
     SPT_HAS_QUIRK(quirks, HTTP2_TABLE))

/* Those of a version, as curl_version_info has it, a bit each. `changes` adds and takes away some
 * by their words, as "+poke,-http2"; NULL: none. */
unsigned spt_quirks_of(unsigned version, const char *changes);

/* Those of the libcurl that runs, with such changes. */
unsigned spt_quirks(const char *changes);

/* The word of one of them. */
const char *spt_quirk_word(enum spt_quirk quirk);

#endif
