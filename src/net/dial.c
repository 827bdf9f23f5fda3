/* SPDX-License-Identifier: MIT */
/* Keeps an array of the addresses, in the order of the answer, with the streams that connect to
 * them. */
#include "net/dial.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/list.h"
#include "base/time.h"
#include "dns/answer.h"
#include "dns/resolver.h"
#include "http/permit.h"
#include "http/policy.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "net/address.h"

#define ADDRESSES_MAX 32
/* until a unix socket with a full queue is tried again */
#define AGAIN_NS      (20 * SPT_NS_PER_MS)
/* until the next address is tried beside a silent one */
#define NEXT_AFTER_NS (250 * SPT_NS_PER_MS)

struct attempt {
    struct spt_dial *dial;
    struct spt_address address;
    struct spt_stream *stream; /* NULL unless it connects */
};

struct spt_dial {
    struct spt_dial_config config;
    struct spt_lookup lookup;
    bool named;                /* the name is allowed, whatever its address */
    bool starting;             /* inside spt_dial_start() */
    bool done;                 /* connected or failed */
    bool again;                /* the queue of the unix socket was full */
    struct spt_timer next;     /* until the next address is tried */
    struct spt_timer deadline; /* of the whole */
    struct attempt *attempts;
    unsigned n, begun, connecting; /* numbers of addresses: known, tried, under way */
    struct spt_stream *stream;     /* connected, not taken yet */
    struct spt_dial_failure failure;
    spt_dial_fn *fn;
    void *ud;
};

/* --- the end --- */

static void stop(struct spt_dial *dial)
{
    spt_timer_stop(dial->config.timers, &dial->next);
    spt_timer_stop(dial->config.timers, &dial->deadline);
    for (unsigned i = 0; i < dial->begun; i++) {
        if (dial->attempts[i].stream)
            spt_stream_free(dial->attempts[i].stream);
        dial->attempts[i].stream = NULL;
    }
    dial->connecting = 0;
}

static void finish(struct spt_dial *dial, struct spt_stream *stream)
{
    dial->stream = stream;
    dial->done = true;
    stop(dial);
}

/* Called last in a callback, because fn may free the dial. */
static void tell(struct spt_dial *dial)
{
    if (dial->done && !dial->starting)
        dial->fn(dial->ud);
}

static void fail(struct spt_dial *dial, struct spt_dial_failure failure)
{
    dial->failure = failure;
    finish(dial, NULL);
}

static struct spt_dial_failure denial_of(struct spt_denial denial)
{
    return (struct spt_dial_failure){
        .code = "denied", .reason = denial.reason, .text = denial.rule};
}

/* --- addresses --- */

/* Returns why an address may not be connected to; the reason is NULL if it may. */
static struct spt_denial judge(const struct spt_dial *dial, const struct spt_address *address)
{
    const struct sockaddr *at = (const struct sockaddr *)&address->at;
    const struct spt_dial_config *config = &dial->config;
    struct spt_denial denial = {0};
    if (config->policy && !config->path)
        denial = spt_policy_address(config->policy, at, dial->named);
    if (!denial.reason && !spt_permit_address(config->permit, at))
        denial.reason = SPT_DENIED_BY_EMBEDDER;
    return denial;
}

static void try_next(struct spt_dial *dial);

static void on_silent(struct spt_timer *timer)
{
    struct spt_dial *dial = SPT_OF(timer, struct spt_dial, next);
    try_next(dial);
    tell(dial);
}

/* Takes the result of an attempt. Returns true if it is connected. */
static bool settle(struct attempt *attempt)
{
    struct spt_dial *dial = attempt->dial;
    struct spt_stream *stream = attempt->stream;
    attempt->stream = NULL;
    if (stream->write_error == 0) {
        finish(dial, stream);
        return true;
    }
    dial->failure = (struct spt_dial_failure){.error = stream->write_error};
    dial->again = stream->write_error == UV_EAGAIN && dial->config.path;
    spt_stream_free(stream);
    return false;
}

static void on_flushed(void *ud)
{
    struct attempt *attempt = ud;
    struct spt_dial *dial = attempt->dial;
    dial->connecting--;
    if (!settle(attempt))
        try_next(dial);
    tell(dial);
}

/* Begins to connect. Returns true if that is under way, or if the dial is done. */
static bool begin(struct attempt *attempt)
{
    struct spt_dial *dial = attempt->dial;
    struct spt_denial denial = judge(dial, &attempt->address);
    if (denial.reason) {
        dial->failure = denial_of(denial);
        return false;
    }
    int fd = spt_address_open(&attempt->address);
    int rc = fd < 0 ? fd : spt_stream_open(&attempt->stream, dial->config.loop, fd);
    if (rc != 0) {
        attempt->stream = NULL;
        dial->failure = (struct spt_dial_failure){.error = rc};
        return false;
    }
    spt_stream_connect(attempt->stream, (const struct sockaddr *)&attempt->address.at,
                       attempt->address.len);
    if (spt_stream_is_flushed(attempt->stream))
        return settle(attempt);
    rc = spt_stream_on_flushed(attempt->stream, on_flushed, attempt);
    if (rc != 0) {
        attempt->stream->write_error = rc;
        return settle(attempt);
    }
    dial->connecting++;
    return true;
}

static void try_next(struct spt_dial *dial)
{
    struct spt_timers *timers = dial->config.timers;
    uint64_t now_ns = spt_loop_now(dial->config.loop);
    bool begun = false;
    spt_timer_stop(timers, &dial->next);
    if (dial->again) {
        dial->again = false;
        dial->begun = 0;
    }
    while (!begun && dial->begun < dial->n)
        begun = begin(&dial->attempts[dial->begun++]);
    if (dial->done)
        return;
    if (dial->again)
        spt_timer_start(timers, &dial->next, now_ns + AGAIN_NS, on_silent);
    else if (dial->connecting == 0)
        finish(dial, NULL);
    else if (dial->begun < dial->n)
        spt_timer_start(timers, &dial->next, now_ns + NEXT_AFTER_NS, on_silent);
}

/* --- names --- */

/* Reads the addresses of an answer, which are separated by commas. */
static void read_addresses(struct spt_dial *dial, const char *text)
{
    while (*text && dial->n < ADDRESSES_MAX) {
        size_t len = strcspn(text, ",");
        struct attempt *attempt = &dial->attempts[dial->n];
        if (spt_address_read(&attempt->address, text, len, dial->config.port)) {
            spt_address_name_target(&attempt->address);
            attempt->dial = dial;
            dial->n++;
        }
        text += len + (text[len] == ',');
    }
}

static void on_answer(struct spt_lookup *lookup)
{
    struct spt_dial *dial = SPT_OF(lookup, struct spt_dial, lookup);
    if (lookup->answer)
        read_addresses(dial, lookup->answer->addresses);
    if (dial->n > 0)
        try_next(dial);
    else
        fail(dial, (struct spt_dial_failure){
                       .code = "dns", .reason = lookup->failure, .text = lookup->text});
    tell(dial);
}

static void start_host(struct spt_dial *dial)
{
    const struct spt_dial_config *config = &dial->config;
    size_t len = strlen(config->host);
    struct spt_denial denial = {0};
    if (config->policy)
        denial = spt_policy_host(config->policy, config->host, len, config->port, &dial->named);
    if (!denial.reason && !spt_permit_host(config->permit, config->host, len, config->port))
        denial.reason = SPT_DENIED_BY_EMBEDDER;
    if (denial.reason)
        fail(dial, denial_of(denial));
    else if (spt_resolver_start(config->resolver, &dial->lookup, config->host))
        on_answer(&dial->lookup);
}

static void start_path(struct spt_dial *dial)
{
    if (!spt_permit_unix(dial->config.permit, dial->config.path)) {
        fail(dial, denial_of((struct spt_denial){.reason = SPT_DENIED_BY_EMBEDDER}));
        return;
    }
    dial->attempts[0].dial = dial;
    dial->n = spt_address_of_path(&dial->attempts[0].address, dial->config.path);
    if (dial->n == 0)
        dial->failure.error = UV_ENAMETOOLONG;
    try_next(dial);
}

/* --- life --- */

static void on_deadline(struct spt_timer *timer)
{
    struct spt_dial *dial = SPT_OF(timer, struct spt_dial, deadline);
    spt_resolver_cancel(&dial->lookup);
    fail(dial, (struct spt_dial_failure){.code = "timeout"});
    tell(dial);
}

struct spt_dial *spt_dial_new(const struct spt_dial_config *config)
{
    struct spt_dial *dial = calloc(1, sizeof *dial);
    struct attempt *attempts = calloc(config->path ? 1 : ADDRESSES_MAX, sizeof *attempts);
    if (!dial || !attempts) {
        free(dial);
        free(attempts);
        return NULL;
    }
    dial->config = *config;
    dial->attempts = attempts;
    spt_resolver_init_lookup(&dial->lookup, on_answer);
    spt_loop_ref(config->loop);
    return dial;
}

bool spt_dial_start(struct spt_dial *dial, spt_dial_fn *fn, void *ud)
{
    const struct spt_dial_config *config = &dial->config;
    dial->fn = fn;
    dial->ud = ud;
    dial->starting = true;
    if (config->path)
        start_path(dial);
    else
        start_host(dial);
    dial->starting = false;
    if (!dial->done && config->deadline_ns != SPT_NEVER)
        spt_timer_start(config->timers, &dial->deadline, config->deadline_ns, on_deadline);
    return dial->done;
}

struct spt_stream *spt_dial_take(struct spt_dial *dial)
{
    struct spt_stream *stream = dial->stream;
    dial->stream = NULL;
    return stream;
}

const struct spt_dial_failure *spt_dial_failure(const struct spt_dial *dial)
{
    return &dial->failure;
}

void spt_dial_free(struct spt_dial *dial)
{
    if (!dial)
        return;
    stop(dial);
    spt_resolver_cancel(&dial->lookup);
    if (dial->stream)
        spt_stream_free(dial->stream);
    spt_loop_unref(dial->config.loop);
    free(dial->attempts);
    free(dial);
}
