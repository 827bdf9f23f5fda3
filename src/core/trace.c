/* SPDX-License-Identifier: MIT */
/* Implements the trace ring, its interned strings and its ring of texts. */
#include "core/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/pages.h"
#include "septet/septet.h"

/* number of strings kept; it grows if more than half of them are in use */
#define INTERN_MAX 65536u
/* number of the last new strings, which count as in use: no record has them yet */
#define RECENT     8u

_Static_assert(sizeof(struct spt_rec) == 32, "a record is one unit");

struct entry {
    char *string;  /* owned; NULL if the number is free */
    uint32_t pins; /* number of pins; the string is kept while there are any */
    bool used;     /* valid while numbers are freed */
};

struct spt_intern {
    struct entry *entries; /* owned; by number - 1 */
    uint32_t count, cap;   /* numbers given so far, and capacity for them */
    uint32_t live, max;    /* number of strings, and the maximum before some are freed */
    uint32_t free;         /* numbers up to this one are in use */
    uint32_t *slots;       /* owned; numbers, with open addressing; 0 is free */
    uint32_t nslots;       /* a power of two, at least twice `cap` */
    uint32_t last;         /* the number returned last, because sources repeat */
    uint32_t recent[RECENT], nrecent;
};

int spt_trace_init(struct spt_trace *tr, uint32_t records)
{
    *tr = (struct spt_trace){.level = 1, .muted = SPT_TRACE_NO_TASK};
    tr->spill_at = tr->text_spill_at = SPT_TRACE_NEVER;
    tr->intern = calloc(1, sizeof *tr->intern);
    if (!tr->intern)
        return SEPTET_ENOMEM;
    tr->intern->max = INTERN_MAX;
    if (records == 0)
        return SEPTET_OK;
    uint32_t units = 16;
    while (units < records && units < 1u << 30)
        units *= 2;
    tr->ring = tr->units = spt_pages_new(units, sizeof *tr->units);
    tr->mask = units - 1;
    return tr->units ? SEPTET_OK : SEPTET_ENOMEM;
}

void spt_trace_release(struct spt_trace *tr)
{
    struct spt_intern *in = tr->intern;
    for (uint32_t i = 0; in && i < in->count; i++)
        free(in->entries[i].string);
    if (in) {
        free(in->entries);
        free(in->slots);
    }
    free(in);
    spt_pages_free(tr->units, (size_t)tr->mask + 1, sizeof *tr->units);
    spt_text_ring_release(&tr->texts);
    *tr = (struct spt_trace){0};
}

void spt_trace_set_level(struct spt_trace *tr, int level)
{
    tr->level = level;
    tr->ring = level > 0 ? tr->units : NULL;
}

/* --- spilling --- */

static void arm_spill(struct spt_trace *tr)
{
    tr->spill_at = tr->spill ? tr->head + tr->mask / 2 + 1 : SPT_TRACE_NEVER;
    tr->text_spill_at = tr->spill ? tr->texts.head + SPT_TEXT_RING_SIZE / 2 : SPT_TRACE_NEVER;
}

void spt_trace_set_spill(struct spt_trace *tr, void (*spill)(void *ud), void *ud)
{
    tr->spill = spill;
    tr->spill_ud = ud;
    arm_spill(tr);
}

void spt_trace_spill(struct spt_trace *tr)
{
    tr->spill(tr->spill_ud);
    arm_spill(tr);
}

/* --- records --- */

void spt_trace_clock(struct spt_trace *tr, uint64_t t, uint64_t unix_ns)
{
    spt_trace_put(tr, (struct spt_rec){.t = t, .kind = SPT_REC_CLOCK, .b = unix_ns});
}

void spt_trace_spawn(struct spt_trace *tr, uint64_t t, uint32_t task, uint32_t parent,
                     uint64_t defined, uint64_t site)
{
    if (task == tr->muted)
        return;
    spt_trace_put(tr, (struct spt_rec){.t = t,
                                       .task = task,
                                       .ref = parent,
                                       .kind = SPT_REC_SPAWN,
                                       .extra = site ? 1 : 0,
                                       .b = defined});
    if (site)
        spt_trace_put(tr, (struct spt_rec){.t = t, .kind = SPT_REC_MORE, .b = site});
}

static uint64_t pair(int32_t high, int32_t low)
{
    return (uint64_t)(uint32_t)high << 32 | (uint32_t)low;
}

void spt_trace_xfer(struct spt_trace *tr, uint64_t t, uint32_t task, uint32_t ref,
                    const struct spt_trace_transfer *x)
{
    if (task == tr->muted)
        return;
    spt_trace_put(tr, (struct spt_rec){.t = t,
                                       .task = task,
                                       .ref = ref,
                                       .kind = SPT_REC_XFER,
                                       .sub = x->reused,
                                       .extra = 3,
                                       .a = x->url,
                                       .b = x->bytes});
    spt_trace_put(tr, (struct spt_rec){.t = x->place,
                                       .task = x->method,
                                       .ref = x->code,
                                       .kind = SPT_REC_MORE,
                                       .sub = x->version,
                                       .extra = x->status,
                                       .a = x->phase,
                                       .b = pair(x->us.queue, x->us.total)});
    spt_trace_put(tr, (struct spt_rec){.t = pair(x->us.dns, x->us.tcp),
                                       .task = (uint32_t)x->us.tls,
                                       .ref = (uint32_t)x->us.send,
                                       .kind = SPT_REC_MORE,
                                       .sub = x->insecure,
                                       .a = x->resend,
                                       .b = pair(x->us.wait, x->us.recv)});
    spt_trace_put(tr, (struct spt_rec){.t = x->sent,
                                       .task = x->request,
                                       .ref = x->connection,
                                       .kind = SPT_REC_MORE,
                                       .a = x->peer});
}

static struct spt_trace_transfer xfer_of(const struct spt_rec *r)
{
    const struct spt_rec *m = r + 1, *n = r + 2, *o = r + 3;
    return (struct spt_trace_transfer){.us.queue = (int32_t)(m->b >> 32),
                                       .us.total = (int32_t)m->b,
                                       .us.dns = (int32_t)(n->t >> 32),
                                       .us.tcp = (int32_t)n->t,
                                       .us.tls = (int32_t)n->task,
                                       .us.send = (int32_t)n->ref,
                                       .us.wait = (int32_t)(n->b >> 32),
                                       .us.recv = (int32_t)n->b,
                                       .bytes = r->b,
                                       .sent = o->t,
                                       .place = m->t,
                                       .request = o->task,
                                       .resend = n->a,
                                       .connection = o->ref,
                                       .peer = o->a,
                                       .url = r->a,
                                       .method = m->task,
                                       .code = m->ref,
                                       .phase = m->a,
                                       .status = m->extra,
                                       .version = m->sub,
                                       .reused = r->sub,
                                       .insecure = n->sub};
}

/* --- interned strings --- */

static void insert(struct spt_intern *in, uint32_t id)
{
    uint32_t i = spt_hash_text(in->entries[id - 1].string);
    while (in->slots[i & (in->nslots - 1)])
        i++;
    in->slots[i & (in->nslots - 1)] = id;
}

static void fill_slots(struct spt_intern *in)
{
    memset(in->slots, 0, in->nslots * sizeof *in->slots);
    for (uint32_t id = 1; id <= in->count; id++)
        if (in->entries[id - 1].string)
            insert(in, id);
}

static bool intern_grow(struct spt_intern *in)
{
    uint32_t cap = in->cap ? in->cap * 2 : 64;
    struct entry *entries = realloc(in->entries, cap * sizeof *entries);
    if (!entries)
        return false;
    in->entries = entries;
    uint32_t *slots = calloc(cap * 2, sizeof *slots);
    if (!slots)
        return false;
    free(in->slots);
    in->slots = slots;
    in->nslots = cap * 2;
    in->cap = cap;
    fill_slots(in);
    return true;
}

void spt_trace_use(struct spt_trace *tr, uint32_t id)
{
    if (id && id <= tr->intern->count)
        tr->intern->entries[id - 1].used = true;
}

static void use(void *ud, uint32_t id)
{
    spt_trace_use(ud, id);
}

static void ignore(void *ud, uint32_t pos)
{
}

static void use_all(struct spt_trace *tr)
{
    struct spt_intern *in = tr->intern;
    struct spt_event ev;
    uint64_t cursor = 0, lost = 0;
    for (uint32_t id = 1; id <= in->count; id++)
        in->entries[id - 1].used = id <= SPT_TRACE_KEPT || in->entries[id - 1].pins > 0;
    for (uint32_t i = 0; i < RECENT; i++)
        spt_trace_use(tr, in->recent[i]);
    for (uint32_t i = 0; i < SPT_TRACE_WORDS; i++)
        spt_trace_use(tr, tr->words[i].id);
    while (spt_trace_read(tr, &cursor, &ev, &lost))
        spt_trace_strings(&ev, use, ignore, tr);
    tr->uses(tr->ud);
}

/* Frees the strings that are not in use. If most are in use, raises the maximum, so that the next
 * such search is paid for by as many new strings. Returns true if there is room for one more. */
static bool make_room(struct spt_trace *tr)
{
    struct spt_intern *in = tr->intern;
    if (!tr->uses)
        return false;
    use_all(tr);
    for (uint32_t i = 0; i < in->count; i++) {
        struct entry *e = &in->entries[i];
        if (!e->string || e->used)
            continue;
        free(e->string);
        e->string = NULL;
        in->live--;
    }
    in->last = in->free = 0;
    in->max = in->live * 2 > INTERN_MAX ? in->live * 2 : INTERN_MAX;
    fill_slots(in);
    return true;
}

/* Returns a free number, or 0 if memory runs out. */
static uint32_t free_number(struct spt_intern *in)
{
    if (in->live == in->count) {
        if (in->count == in->cap && !intern_grow(in))
            return 0;
        in->entries[in->count] = (struct entry){0};
        return ++in->count;
    }
    while (in->entries[in->free].string)
        in->free++;
    return in->free + 1;
}

uint32_t spt_trace_intern(struct spt_trace *tr, const char *s)
{
    struct spt_intern *in = tr->intern;
    if (!s || !in)
        return 0;
    if (in->last && strcmp(in->entries[in->last - 1].string, s) == 0)
        return in->last;
    uint32_t i = spt_hash_text(s);
    for (uint32_t id; in->nslots && (id = in->slots[i & (in->nslots - 1)]); i++)
        if (strcmp(in->entries[id - 1].string, s) == 0)
            return in->last = id;
    if (in->live == in->max && !make_room(tr))
        return 0;
    char *copy = strdup(s);
    uint32_t id = copy ? free_number(in) : 0;
    if (id == 0) {
        free(copy);
        return 0;
    }
    in->entries[id - 1] = (struct entry){.string = copy};
    in->live++;
    insert(in, id);
    in->recent[in->nrecent++ % RECENT] = id;
    return in->last = id;
}

uint32_t spt_trace_intern_name(struct spt_trace *tr, const char *s)
{
    char name[SPT_TRACE_NAME + 1] = ""; /* snprintf() took 600 instructions of each request */
    return s ? spt_trace_intern(tr, strncpy(name, s, SPT_TRACE_NAME)) : 0;
}

void spt_trace_pin(struct spt_trace *tr, uint64_t place)
{
    uint32_t id = (uint32_t)(place >> 32);
    if (id && tr->intern)
        tr->intern->entries[id - 1].pins++;
}

void spt_trace_unpin(struct spt_trace *tr, uint64_t place)
{
    uint32_t id = (uint32_t)(place >> 32);
    if (id && tr->intern)
        tr->intern->entries[id - 1].pins--;
}

uint32_t spt_trace_word(struct spt_trace *tr, const char *s)
{
    uint32_t i = (uint32_t)((uintptr_t)s * UINT32_C(2654435761) >> 16) & (SPT_TRACE_WORDS - 1);
    if (tr->words[i].word != s) {
        tr->words[i].word = s;
        tr->words[i].id = spt_trace_intern(tr, s);
    }
    return tr->words[i].id;
}

const char *spt_trace_string(const struct spt_trace *tr, uint32_t id)
{
    const struct spt_intern *in = tr->intern;
    const char *string = in && id && id <= in->count ? in->entries[id - 1].string : NULL;
    return string ? string : "";
}

uint32_t spt_trace_text(struct spt_trace *tr, const char *s, size_t len)
{
    size_t max = tr->level >= 3 ? SPT_TEXT_MAX : SPT_TRACE_TEXT;
    if (!tr->ring)
        return 0;
    if (tr->texts.head > tr->text_spill_at)
        spt_trace_spill(tr);
    return spt_text_ring_put(&tr->texts, s, len < max ? len : max);
}

/* --- reading --- */

bool spt_trace_read(const struct spt_trace *tr, uint64_t *cursor, struct spt_event *event,
                    uint64_t *lost)
{
    if (!tr->units)
        return false;
    uint64_t oldest = tr->head > tr->mask ? tr->head - tr->mask - 1 : 0;
    if (*cursor < oldest) {
        while (oldest < tr->head && tr->units[oldest & tr->mask].kind == SPT_REC_MORE)
            oldest++;
        *lost += oldest - *cursor;
        *cursor = oldest;
    }
    if (*cursor >= tr->head || tr->head - *cursor <= tr->units[*cursor & tr->mask].extra)
        return false;
    struct spt_rec units[SPT_TRACE_UNITS];
    unsigned n = 0;
    do {
        units[n++] = tr->units[(*cursor)++ & tr->mask];
    } while (n < SPT_TRACE_UNITS && n <= units[0].extra);
    event->rec = units[0];
    if (units[0].kind == SPT_REC_SPAWN) {
        event->function_place = units[0].b;
        event->spawn_place = n > 1 ? units[1].b : 0;
    } else if (units[0].kind == SPT_REC_XFER) {
        event->xfer = xfer_of(units);
    }
    return true;
}

static uint32_t source(uint64_t place)
{
    return (uint32_t)(place >> 32);
}

static void strings_of_xfer(const struct spt_trace_transfer *x,
                            void (*string)(void *ud, uint32_t id),
                            void (*text)(void *ud, uint32_t pos), void *ud)
{
    string(ud, source(x->place));
    string(ud, x->method);
    string(ud, x->code);
    string(ud, x->phase);
    text(ud, x->url);
    text(ud, x->peer);
}

void spt_trace_strings(const struct spt_event *event, void (*string)(void *ud, uint32_t id),
                       void (*text)(void *ud, uint32_t pos), void *ud)
{
    const struct spt_rec *r = &event->rec;
    switch (r->kind) {
    case SPT_REC_SPAWN:
        string(ud, source(event->function_place));
        string(ud, source(event->spawn_place));
        break;
    case SPT_REC_WAIT:
        (r->sub ? text : string)(ud, r->a);
        string(ud, source(r->b));
        break;
    case SPT_REC_END:
        string(ud, r->ref);
        string(ud, r->a);
        break;
    case SPT_REC_HOG:
        string(ud, r->ref);
        break;
    case SPT_REC_CANCEL:
    case SPT_REC_COUNT:
        string(ud, r->a);
        break;
    case SPT_REC_XFER:
        strings_of_xfer(&event->xfer, string, text, ud);
        break;
    case SPT_REC_SPAN:
    case SPT_REC_JOB:
        string(ud, r->kind == SPT_REC_JOB ? r->ref : source(r->b));
        text(ud, r->a);
        break;
    case SPT_REC_NAME:
    case SPT_REC_MARK:
    case SPT_REC_HEAD:
    case SPT_REC_BODY:
        text(ud, r->a);
        break;
    }
}
