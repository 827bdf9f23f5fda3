/* The event ring: what tasks and requests did, as 32-byte records that cost one store each. It
 * keeps the last ones (flight recorder) and knows nothing of how they are shown: that is Lua's
 * work, over spt_trace_read. Where the truth about a live task stands is the task, not the ring. */
#ifndef SPT_CORE_TRACE_H
#define SPT_CORE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a record says; `task` is the task it is about in all of them.
 *   SPAWN   ref: parent; a, b: where its function is defined; 1 unit more with the spawning line
 *   WAIT    sub: kind of operation; ref: what it waits for; a: text ("GET http://..."); b: line
 *   READY   ref: the task that made it so (0: the loop); sub: 1 if by cancellation
 *   RUN     t: when it was resumed; b: for how long (ns); sub: enum spt_left
 *   CANCEL  ref: the task that asked (0: the host); a: interned source
 *   END     sub: outcome
 *   XFER    one HTTP attempt ended; with spt_trace_xfer
 *   NAME    a: text, the name a script gave the task
 *   HOG     it ran for longer than it should without waiting; b: for how long (ns)
 *   STUCK   it absorbs its cancellation again and again
 *   MORE    a further unit of the record before it, whose `extra` counts them: a reader that fell
 *           behind finds the next whole record by skipping these */
#define SPT_REC_MAP(XX)                                                                            \
    XX(SPAWN, "spawn")                                                                             \
    XX(WAIT, "wait")                                                                               \
    XX(READY, "ready")                                                                             \
    XX(RUN, "run")                                                                                 \
    XX(CANCEL, "cancel")                                                                           \
    XX(END, "end")                                                                                 \
    XX(XFER, "xfer")                                                                               \
    XX(NAME, "name")                                                                               \
    XX(HOG, "hog")                                                                                 \
    XX(STUCK, "stuck")                                                                             \
    XX(MORE, "more")

enum spt_rec_kind {
#define XX(name, word) SPT_REC_##name,
    SPT_REC_MAP(XX)
#undef XX
};

enum spt_left { SPT_LEFT_WAIT, SPT_LEFT_YIELD, SPT_LEFT_END };

struct spt_rec {
    uint64_t t;     /* ns on the host's clock */
    uint32_t task;  /* id; 0: none */
    uint32_t ref;   /* by kind */
    uint8_t kind;   /* enum spt_rec_kind */
    uint8_t sub;    /* by kind */
    uint16_t extra; /* further 32-byte units that belong to this record */
    uint32_t a;     /* by kind */
    uint64_t b;     /* by kind */
};

/* Where something stands in a script, packed in 64 bits: interned source and line. */
static inline uint64_t spt_place(uint32_t source, int line)
{
    return (uint64_t)source << 32 | (uint32_t)(line > 0 ? line : 0);
}

/* An HTTP attempt. Phases in microseconds, -1 where they did not take place. */
struct spt_trace_transfer {
    int32_t queue_us, dns_us, tcp_us, tls_us, send_us, wait_us, recv_us, total_us;
    uint64_t bytes;   /* of body, as delivered */
    uint64_t place;   /* spt_place of the await; 0 below level 2 */
    uint32_t url;     /* text */
    uint32_t method;  /* interned */
    uint32_t code;    /* interned error code; 0: it did not fail */
    uint32_t phase;   /* interned word for where it failed; 0 */
    uint16_t status;  /* 0: no response came */
    uint8_t version;  /* 10, 11, 20 */
    uint8_t reused;   /* 1: no connection was made for it */
    uint8_t insecure; /* 1: the certificate was not checked */
};

#define SPT_TRACE_WORDS 32 /* places for words by address, a power of two */

#define SPT_TRACE_KEPT 4096 /* the first so many strings are never freed */

struct spt_intern; /* strings that have a small number while they are used */

struct spt_trace {
    struct spt_rec *ring; /* owned; NULL: nothing is recorded */
    uint32_t mask;        /* units - 1 */
    uint64_t head;        /* units ever written */
    int level;            /* 1: flight recorder; 2: with texts and lines of awaits */
    char *text;           /* owned; byte ring for what is not interned, made at its first use */
    uint64_t text_head;   /* bytes ever written */
    struct spt_intern *intern;
    void (*uses)(
        void *
            ud); /* calls spt_trace_use for each number in use elsewhere; NULL: none is ever freed */
    void *ud;
    struct {
        const char *word;
        uint32_t id;
    } words[SPT_TRACE_WORDS];
};

/* `records` is rounded up to a power of two; 0 records nothing. Returns SEPTET_OK or
 * SEPTET_ENOMEM. */
int spt_trace_init(struct spt_trace *tr, uint32_t records);
void spt_trace_release(struct spt_trace *tr);

/* Appends a record of one unit. Never fails; overwrites the oldest. */
static inline void spt_trace_put(struct spt_trace *tr, struct spt_rec rec)
{
    if (tr->ring)
        tr->ring[tr->head++ & tr->mask] = rec;
}

/* Appends a SPAWN with the line that spawned, `site`. */
void spt_trace_spawn(struct spt_trace *tr, uint64_t t, uint32_t task, uint32_t parent,
                     uint64_t defined, uint64_t site);

/* Appends an XFER that began at `t`. */
void spt_trace_xfer(struct spt_trace *tr, uint64_t t, uint32_t task, uint32_t ref,
                    const struct spt_trace_transfer *xfer);

/* Returns the number of a string, the same for the same bytes while the number is in use: in a
 * record of the ring, in what `uses` names, pinned, or among the first SPT_TRACE_KEPT. Returns 0
 * for NULL and when memory runs out. */
uint32_t spt_trace_intern(struct spt_trace *tr, const char *s);

/* For `uses`: the number is in use. */
void spt_trace_use(struct spt_trace *tr, uint32_t id);

/* Keeps the source of a place in use, until it is unpinned as often. */
void spt_trace_pin(struct spt_trace *tr, uint64_t place);
void spt_trace_unpin(struct spt_trace *tr, uint64_t place);

/* The same for a string that lives, unchanged, as long as the host: found by its address. */
uint32_t spt_trace_word(struct spt_trace *tr, const char *s);

/* The string behind a number; "" for 0. */
const char *spt_trace_string(const struct spt_trace *tr, uint32_t id);

/* Keeps a text for records written about now. Returns what `a` takes, 0 for none. */
uint32_t spt_trace_text(struct spt_trace *tr, const char *s, size_t len);

/* Copies the text of `pos` to `out`, or "" for 0, or "<gone>" when it was overwritten. */
void spt_trace_get_text(const struct spt_trace *tr, uint32_t pos, char *out, size_t size);

/* A record with its further units decoded. */
struct spt_event {
    struct spt_rec rec;
    uint64_t function_place, spawn_place; /* of a SPAWN */
    struct spt_trace_transfer xfer;       /* of an XFER */
};

/* Reads the record at `*cursor` (0 at first) and moves the cursor behind it. Returns false when
 * there is no more. Units overwritten since the last call are skipped and added to `*lost`. */
bool spt_trace_read(const struct spt_trace *tr, uint64_t *cursor, struct spt_event *event,
                    uint64_t *lost);

#endif
