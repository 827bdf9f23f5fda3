/* SPDX-License-Identifier: MIT */
/* The trace ring: 32-byte records of what tasks and requests did, at the cost of one store each. It
 * keeps the most recent records. Lua code displays them, through spt_trace_read(). The state of a
 * live task is in its struct, not in the ring. */
#ifndef SPT_CORE_TRACE_H
#define SPT_CORE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/text_ring.h"

/* The kinds of records; `task` is the task that a record is about.
 *   SPAWN   ref: its parent; b: place where its function is defined; 1 unit more with the spawning
 *           line
 *   WAIT    ref: the operation's `ref`; sub: 0, and a: the interned name of its type; or at level 2
 *           sub: 1, a: text of its description ("GET http://..."), and b: place of the await
 *   READY   ref: the task that made it ready (0: the loop); sub: 1 if by cancellation
 *   RUN     t: when it was resumed; b: duration of the turn (ns); sub: enum spt_left
 *   CANCEL  ref: the task that asked (0: the host); a: interned source
 *   END     sub: its final state, an enum spt_task_state; of a failure, a: interned kind of its
 *           error, and ref: interned code of an HttpError
 *   XFER    one HTTP attempt ended; t: when it began; ref: its number; made by spt_trace_xfer()
 *   NAME    a: text, the name a script gave the task
 *   HOG     it ran too long without waiting; b: duration of the turn (ns); ref and a: source and
 *           line of the place where it waited next, or of its function if it ended
 *   STUCK   it swallows its cancellation again and again
 *   SPAN    a span of a script's begins; ref: its number; a: text, its name; b: place
 *   SPANEND it ends; ref: its number; sub: 1 if by an error
 *   MARK    a mark of a script's; a: text, its name; sub: 1 if it has a value, in b, a double
 *   COUNT   a script's counter; a: interned name; b: its value, a double
 *   SAMPLE  what the host has; task: live tasks; ref: requests in flight; a: queued requests;
 *           b: bytes of Lua memory, 0 on a virtual clock; 1 unit more if it is measured, with b: ns
 *           that the loop was idle
 *   CLOCK   b: the wall clock at t (ns since 1970)
 *   PHASE   an attempt enters a phase, at level 2; ref: its number; sub: enum spt_phase, but 0 when
 *           it leaves the queue
 *   HEAD    header lines, at level 3; ref: number of the attempt; sub: 0 sent, 1 received; a: text
 *   BODY    likewise, a piece of a body that is kept; b: 1 if the rest of it is not
 *   UNSEEN  it failed, and nothing awaited that; sub: 1 if it is a main task
 *   DEADLOCK  nothing can wake the tasks; a: their number. There is one for each task of a circle,
 *           with ref: the next task, and sub: 1 for the first; or one with task: 0.
 *           Of a long circle only the first ones, the last of which has ref: 0
 *   JOB     a step of a job of a queue; ref: interned name of the queue; sub: enum spt_job_step; a:
 *           at level 2, text: its key, of a PUT of one job, too; b: spt_trace_step()
 *   MORE    a further unit of the record before it, which counts them in `extra`: a reader that
 *           fell behind finds the next whole record by skipping these */
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
    XX(SPAN, "span_begin")                                                                         \
    XX(SPANEND, "span_end")                                                                        \
    XX(MARK, "mark")                                                                               \
    XX(COUNT, "count")                                                                             \
    XX(SAMPLE, "sample")                                                                           \
    XX(CLOCK, "clock")                                                                             \
    XX(PHASE, "phase")                                                                             \
    XX(HEAD, "head")                                                                               \
    XX(BODY, "body")                                                                               \
    XX(UNSEEN, "unhandled")                                                                        \
    XX(MORE, "more")                                                                               \
    XX(DEADLOCK, "deadlock")                                                                       \
    XX(JOB, "job")

enum spt_rec_kind {
#define XX(name, word) SPT_REC_##name,
    SPT_REC_MAP(XX)
#undef XX
};

enum spt_left { SPT_LEFT_WAIT, SPT_LEFT_YIELD, SPT_LEFT_END };

/* What happens to a job. PUT is a put of any number of jobs.
 *   DROPPED  it ended without a result
 *   RETRY    it failed, and will be tried again; DEAD: for the last time
 *   BACK     it was given back, and the attempt does not count
 *   LOST     another has its lease
 *   RECOVERED  a take has found that its worker is gone, and it will be tried again; BURIED: for
 *              the last time */
#define SPT_JOB_STEP_MAP(XX)                                                                       \
    XX(PUT, "put")                                                                                 \
    XX(TAKEN, "taken")                                                                             \
    XX(DONE, "done")                                                                               \
    XX(DROPPED, "dropped")                                                                         \
    XX(RETRY, "retry")                                                                             \
    XX(DEAD, "dead")                                                                               \
    XX(BACK, "back")                                                                               \
    XX(LOST, "lost")                                                                               \
    XX(RECOVERED, "recovered")                                                                     \
    XX(BURIED, "buried")

enum spt_job_step {
#define XX(name, word) SPT_JOB_##name,
    SPT_JOB_STEP_MAP(XX)
#undef XX
        SPT_JOB_STEPS
};

struct spt_rec {
    uint64_t t;     /* ns on the host's clock */
    uint32_t task;  /* id of the task; 0: none */
    uint32_t ref;   /* by kind */
    uint8_t kind;   /* enum spt_rec_kind */
    uint8_t sub;    /* by kind */
    uint16_t extra; /* number of further 32-byte units of this record */
    uint32_t a;     /* by kind */
    uint64_t b;     /* by kind */
};

/* Returns a place in a script, packed in 64 bits: interned source and line. */
static inline uint64_t spt_trace_place(uint32_t source, int line)
{
    return (uint64_t)source << 32 | (uint32_t)(line > 0 ? line : 0);
}

/* Returns the numbers of a step in 64 bits, each cut to what fits. Of a PUT: the jobs that were
 * new, and all that were given. Of others: the attempt, and microseconds; of TAKEN those that the
 * job was in the queue, and of an end those that it ran. */
static inline uint64_t spt_trace_step(uint64_t number, uint64_t us)
{
    const uint64_t most = UINT64_C(0xffffff), most_us = UINT64_C(0xffffffffff);
    return (number < most ? number : most) << 40 | (us < most_us ? us : most_us);
}

/* Durations of the phases of an HTTP attempt, in microseconds; -1 for those that did not take
 * place. */
struct spt_trace_times {
    int32_t queue, dns, tcp, tls, send, wait, recv, total;
};

/* Returns such a duration for one in nanoseconds. One of more than 35 min is the longest one. */
static inline int32_t spt_trace_us(int64_t ns)
{
    int64_t us = ns / 1000;
    return ns < 0 ? -1 : us < INT32_MAX ? (int32_t)us : INT32_MAX;
}

/* An HTTP attempt. */
struct spt_trace_transfer {
    struct spt_trace_times us;
    uint64_t bytes;      /* size of the body, as delivered */
    uint64_t sent;       /* bytes of the request's body that were sent */
    uint64_t place;      /* spt_trace_place of the await; 0 below level 2 */
    uint32_t request;    /* number of the request to which the attempt belongs; 0: unknown */
    uint32_t resend;     /* number of the request's attempts before this one */
    uint32_t connection; /* number of the connection; 0: none */
    uint32_t peer;       /* text, "address:port"; 0: none */
    uint32_t url;        /* text */
    uint32_t method;     /* interned */
    uint32_t code;       /* interned error code; 0: it did not fail */
    uint32_t phase;      /* interned name of the phase in which it failed; 0: none */
    uint16_t status;     /* HTTP status; 0: no response */
    uint8_t version;     /* 10, 11, 20 */
    uint8_t reused;      /* 1: no connection was opened for it */
    uint8_t insecure;    /* 1: the certificate was not checked */
};

#define SPT_TRACE_WORDS 32 /* number of slots for words by address, a power of two */

#define SPT_TRACE_KEPT 4096 /* number of first strings that are never freed */

enum { SPT_TRACE_TEXT = 1024 }; /* maximum size of a text below level 3, bytes */

/* The maximum number of units of a record. */
enum { SPT_TRACE_UNITS = 4 };

struct spt_intern; /* strings with small numbers, kept while in use */

struct spt_trace {
    struct spt_rec *ring; /* borrowed from `units`; NULL while nothing is recorded */
    uint32_t mask;        /* units - 1 */
    uint64_t head;        /* number of units written so far */
    uint64_t spill_at;    /* the head at which to call `spill`; SPT_TRACE_NEVER if not at all */
    /* 0: nothing; 1: records alone; 2: also texts, lines of awaits, and phases of requests; 3: also
     * headers */
    int level;
    uint32_t muted;             /* id of a task that nothing is recorded of */
    struct spt_rec *units;      /* owned; NULL if there is no ring */
    struct spt_text_ring texts; /* that are not interned */
    uint64_t text_spill_at;     /* like spill_at, for texts.head */
    /* called when half of the ring is new since the last call; runs no Lua. NULL: none */
    void (*spill)(void *ud);
    void *spill_ud;
    struct spt_intern *intern;
    /* calls spt_trace_use for each number in use elsewhere; NULL: no number is ever freed */
    void (*uses)(void *ud);
    void *ud;
    struct {
        const char *word;
        uint32_t id;
    } words[SPT_TRACE_WORDS];
};

/* Initialises the ring. `records` is rounded up to a power of two; 0 records nothing. Returns
 * SEPTET_OK or SEPTET_ENOMEM. */
int spt_trace_init(struct spt_trace *tr, uint32_t records);
void spt_trace_release(struct spt_trace *tr);

/* Sets the level. */
void spt_trace_set_level(struct spt_trace *tr, int level);

#define SPT_TRACE_NEVER   UINT64_MAX
#define SPT_TRACE_NO_TASK UINT32_MAX

/* Sets what is called whenever half of the ring, or of its texts, is new. NULL: nothing. */
void spt_trace_set_spill(struct spt_trace *tr, void (*spill)(void *ud), void *ud);

/* Calls `spill`. */
void spt_trace_spill(struct spt_trace *tr);

/* Appends one unit, overwriting the oldest. Never fails. */
static inline void spt_trace_append(struct spt_trace *tr, struct spt_rec rec)
{
    if (!tr->ring)
        return;
    tr->ring[tr->head++ & tr->mask] = rec;
    if (tr->head == tr->spill_at)
        spt_trace_spill(tr);
}

/* Appends a record of one unit, unless its task is muted. Never fails. */
static inline void spt_trace_put(struct spt_trace *tr, struct spt_rec rec)
{
    if (rec.kind == SPT_REC_MORE || rec.task != tr->muted)
        spt_trace_append(tr, rec);
}

/* Appends a SPAWN with the line that spawned, `site`; 0 for none. */
void spt_trace_spawn(struct spt_trace *tr, uint64_t t, uint32_t task, uint32_t parent,
                     uint64_t defined, uint64_t site);

/* Appends an XFER that began at `t`. */
void spt_trace_xfer(struct spt_trace *tr, uint64_t t, uint32_t task, uint32_t ref,
                    const struct spt_trace_transfer *xfer);

/* Returns the number of a string. Equal strings have the same number while it is in use. It is in
 * use in a record of the ring, when `uses` reports it, while pinned, and always among the first
 * SPT_TRACE_KEPT. Returns 0 for NULL and if memory runs out. */
uint32_t spt_trace_intern(struct spt_trace *tr, const char *s);

enum { SPT_TRACE_NAME = 256 }; /* maximum size of a name, bytes */

/* Like spt_trace_intern(), but for a name that a script makes, of which the rest is cut off. */
uint32_t spt_trace_intern_name(struct spt_trace *tr, const char *s);

/* Marks the number as in use. To be called by `uses`. */
void spt_trace_use(struct spt_trace *tr, uint32_t id);

/* Pins the source of a place: it stays in use until it is unpinned as often. */
void spt_trace_pin(struct spt_trace *tr, uint64_t place);
void spt_trace_unpin(struct spt_trace *tr, uint64_t place);

/* Like spt_trace_intern(), but for a string that stays unchanged as long as the host: found by its
 * address. */
uint32_t spt_trace_word(struct spt_trace *tr, const char *s);

/* Records that the wall clock was `unix_ns` at `t`. */
void spt_trace_clock(struct spt_trace *tr, uint64_t t, uint64_t unix_ns);

/* Returns the string with a number; "" for 0. */
const char *spt_trace_string(const struct spt_trace *tr, uint32_t id);

/* Stores a text for records written about now, up to its maximum size. Returns the value for `a`, 0
 * for none. */
uint32_t spt_trace_text(struct spt_trace *tr, const char *s, size_t len);

/* A record with its further units decoded. */
struct spt_event {
    struct spt_rec rec;
    uint64_t function_place, spawn_place; /* of a SPAWN */
    struct spt_trace_transfer xfer;       /* of an XFER */
};

/* Reads the record at `*cursor` (0 at first) and moves the cursor behind it. Returns false if there
 * is no more, or if the next one is incomplete. Units overwritten since the last call are skipped
 * and added to `*lost`. */
bool spt_trace_read(const struct spt_trace *tr, uint64_t *cursor, struct spt_event *event,
                    uint64_t *lost);

/* Calls `visit` with each interned string, and with each text, that the event refers to. */
void spt_trace_strings(const struct spt_event *event, void (*string)(void *ud, uint32_t id),
                       void (*text)(void *ud, uint32_t pos), void *ud);

#endif
