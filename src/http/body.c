/* SPDX-License-Identifier: MIT */
/* libcurl's callbacks for bodies: they fill and empty the buffers, and pause at the limits of
 * these. */
#include "http/body.h"

#include <stdio.h>

#include "http/decoder.h"
#include "http/head.h"
#include "http/quirks.h"
#include "http/request.h"
#include "http/signal.h"
#include "http/state.h"
#include "http/timeouts.h"
#include "loop/loop.h"
#include "septet/septet.h"

enum {
    CHUNK = 16 * 1024,       /* bytes decoded at once */
    PACKED_SLACK = 64 * 1024 /* bytes by which an encoded body may exceed twice the maximum */
};

/* --- response bodies --- */

/* Records whether receiving is paused, and counts the session's requests for which it is. While
 * there are any, sockets that wait for nothing are not taken for idle ones. */
static void set_receive_paused(struct spt_request *r, bool paused)
{
    r->state.session->paused += (unsigned)paused - (unsigned)r->response->body.paused;
    r->response->body.paused = paused;
}

/* Returns true if no more of a body may be taken in this turn. A call into libcurl does not stop
 * for the time before it took a piece, because stopping costs more than that. */
static bool is_over(const struct spt_easy *easy)
{
    const struct spt_turn_budget *budget = spt_loop_budget(easy->driver->loop);
    if (budget->bytes_left > 0 && !(easy->driver->call.fed && spt_turn_budget_is_late(budget)))
        return false;
    bool holds_much = SPT_HAS_QUIRK(easy->driver->quirks, HTTP2_PAUSE);
    return !holds_much || easy->head.version != 20;
}

/* Counts bytes that were received or decoded. */
static void count(struct spt_easy *easy, size_t bytes)
{
    spt_turn_budget_take(spt_loop_budget(easy->driver->loop), bytes);
    easy->driver->call.fed = true;
}

/* Stops the body until the next turn. libcurl keeps the chunk and passes it again. */
static size_t stop_for_turn(struct spt_easy *easy)
{
    struct spt_response *t = easy->request->response;
    struct spt_loop *loop = easy->driver->loop;
    set_receive_paused(easy->request, true);
    t->body.stopped = true;
    spt_turn_budget_leave(spt_loop_budget(loop), &t->links.next_turn, spt_loop_polls(loop));
    return CURL_WRITEFUNC_PAUSE;
}

static size_t refuse(struct spt_easy *easy, int rc)
{
    easy->abort.code = rc == SEPTET_ETOOBIG ? "body_too_large" : "memory";
    return 0;
}

static size_t gather(struct spt_easy *easy, const char *bytes, size_t len)
{
    struct spt_sink *body = &easy->request->response->body;
    curl_off_t expected = -1;
    if (body->buf.len == 0)
        curl_easy_getinfo(easy->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &expected);
    int rc = spt_sink_gather(body, bytes, len, expected);
    return rc == SEPTET_OK ? len : refuse(easy, rc);
}

static size_t stream(struct spt_easy *easy, const char *bytes, size_t len)
{
    struct spt_request *r = easy->request;
    struct spt_response *t = r->response;
    if (t->body.received + len > r->max_body)
        return refuse(easy, SEPTET_ETOOBIG);
    t->headers_done = true;
    if (spt_sink_is_full(&t->body, len, r->high_water)) {
        set_receive_paused(r, true);
        return CURL_WRITEFUNC_PAUSE;
    }
    int rc = spt_sink_stream(&t->body, bytes, len);
    if (rc != SEPTET_OK)
        return refuse(easy, rc);
    spt_queues_add_progress(&easy->driver->queues, r);
    return len;
}

/* Takes bytes of a body, after decoding. */
static size_t take(struct spt_easy *easy, const char *bytes, size_t len)
{
    struct spt_request *r = easy->request;
    size_t took = r->high_water ? stream(easy, bytes, len) : gather(easy, bytes, len);
    if (took == len) {
        r->response->body.received += len;
        r->state.session->stats.received += len;
        if (SPT_SIGNAL_IS_WANTED(r, CHUNK))
            spt_signal(r, SPT_SIGNAL_CHUNK, bytes, len);
    }
    return took;
}

/* Takes bytes of a body that has no content coding. libcurl has read them already, and copies them
 * if it has to keep them. */
static size_t take_plain(struct spt_easy *easy, const char *bytes, size_t len)
{
    if (!spt_loop_budget(easy->driver->loop)->lenient && is_over(easy))
        return stop_for_turn(easy);
    size_t took = take(easy, bytes, len);
    if (took == len)
        count(easy, len);
    return took;
}

/* --- encoded response bodies --- */

/* Chooses the decoding of a body at its first byte, as the coding of an empty body does not matter.
 * libcurl decodes the transfer codings that it knows; decoder.c decodes the content codings. */
static int begin_body(struct spt_easy *easy)
{
    const struct spt_buf *head = &easy->request->response->head;
    struct spt_codings codings = {0};
    size_t at = 0, len;
    if (easy->head.undone) {
        easy->head.fault = "transfer_encoding";
        return SEPTET_EINVAL;
    }
    for (const char *list; (list = spt_head_next(head, &at, "content-encoding:", &len));)
        if (spt_decoder_add_codings(&codings, list, len) != SEPTET_OK)
            return SEPTET_EINVAL;
    easy->decoding.begun = true;
    return spt_decoder_new(&easy->decoding.decoder, &codings);
}

static size_t refuse_packed(struct spt_easy *easy, int rc)
{
    const char *invalid = easy->head.fault ? "protocol" : "decode";
    if (rc == SEPTET_ETOOBIG)
        return refuse(easy, rc);
    easy->abort.code = rc == SEPTET_EINVAL ? invalid : "memory";
    return 0;
}

/* Returns true if more bytes arrived than a body of the allowed size can have when encoded. Data
 * that is flushed often, or cannot be compressed, is larger after encoding. */
static bool is_too_much(const struct spt_request *r)
{
    size_t max = r->max_body < SIZE_MAX / 4 ? 2 * r->max_body + PACKED_SLACK : SIZE_MAX;
    return r->response->body.packed > max;
}

static size_t unpack(struct spt_easy *easy, const char *bytes, size_t len)
{
    struct spt_request *r = easy->request;
    const char *in = bytes + easy->decoding.taken;
    size_t left = len - easy->decoding.taken, n;
    do {
        const size_t before = left;
        char piece[CHUNK];
        if (r->high_water && spt_sink_is_full(&r->response->body, CHUNK, r->high_water)) {
            easy->decoding.taken = len - left;
            set_receive_paused(r, true);
            return CURL_WRITEFUNC_PAUSE;
        }
        if (is_over(easy)) {
            easy->decoding.taken = len - left;
            return stop_for_turn(easy);
        }
        int rc = spt_decoder_step(easy->decoding.decoder, &in, &left, piece, sizeof piece, &n);
        if (rc != SEPTET_OK)
            return refuse_packed(easy, rc);
        r->response->body.packed += before - left;
        count(easy, before - left + n);
        if (is_too_much(r))
            return refuse(easy, SEPTET_ETOOBIG);
        if (n > 0)
            r->response->stamps.byte_ns = easy->driver->call.at_ns;
        if (n > 0 && take(easy, piece, n) != n)
            return 0;
    } while (left > 0 || n == CHUNK);
    easy->decoding.taken = 0;
    return len;
}

void spt_body_drop_decoder(struct spt_easy *easy)
{
    spt_decoder_free(easy->decoding.decoder);
    easy->decoding.decoder = NULL;
    easy->decoding.begun = false;
    easy->decoding.taken = 0;
}

size_t spt_body_on_write(char *bytes, size_t size, size_t n, void *ud)
{
    struct spt_easy *easy = ud;
    size_t len = size * n;
    if (!easy->decoding.decoder) /* else the decoded bytes count */
        spt_timeouts_note_bytes(easy->request);
    struct spt_sink *body = &easy->request->response->body;
    if (body->unread) {
        count(easy, len);
        return spt_sink_discard(body, len) ? len : 0;
    }
    bool is_decoded = easy->head.encoded && !easy->request->manner.raw;
    bool is_plain = !is_decoded && !easy->head.undone;
    int rc = is_plain || easy->decoding.begun ? SEPTET_OK : begin_body(easy);
    if (rc != SEPTET_OK)
        return refuse_packed(easy, rc);
    return easy->decoding.decoder ? unpack(easy, bytes, len) : take_plain(easy, bytes, len);
}

/* --- request bodies --- */

size_t spt_body_on_read(char *to, size_t size, size_t n, void *ud)
{
    struct spt_easy *easy = ud;
    struct spt_request *r = easy->request;
    struct spt_upload *upload = r->upload;
    size_t taken = spt_upload_take(upload, to, size * n);
    if (taken > 0) {
        r->response->stamps.byte_ns = easy->driver->call.at_ns;
        spt_queues_add_progress(&easy->driver->queues, r);
        if (SPT_SIGNAL_IS_WANTED(r, CHUNK_SENT))
            spt_signal_sent_body(easy, to, taken);
        return taken;
    }
    if (upload->ended)
        return 0;
    r->response->upload_paused = true;
    return CURL_READFUNC_PAUSE;
}

int spt_body_on_seek(void *ud, curl_off_t offset, int origin)
{
    struct spt_easy *easy = ud;
    struct spt_upload *upload = easy->request->upload;
    if (offset != 0 || origin != SEEK_SET || !upload || !spt_upload_rewind(upload))
        return CURL_SEEKFUNC_CANTSEEK;
    return CURL_SEEKFUNC_OK;
}

/* --- pausing and resuming --- */

bool spt_body_unpause(struct spt_request *r, bool next_turn, int *still)
{
    struct spt_response *t = r->response;
    bool in = t->body.paused &&
              (t->body.stopped ? next_turn : spt_request_available(r) <= r->high_water / 4);
    bool out = t->upload_paused && (spt_upload_ready(r->upload) > 0 || r->upload->ended);
    if (in) {
        set_receive_paused(r, false);
        t->body.stopped = false;
    }
    if (out)
        t->upload_paused = false;
    *still = (t->body.paused ? CURLPAUSE_RECV : 0) | (t->upload_paused ? CURLPAUSE_SEND : 0);
    return in || out;
}

void spt_body_stop(struct spt_request *r)
{
    set_receive_paused(r, false);
    r->response->body.stopped = r->response->upload_paused = false;
}
