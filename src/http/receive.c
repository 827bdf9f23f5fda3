/* SPDX-License-Identifier: MIT */
/* Reads header lines, and what libcurl says of HTTP/2 streams in its verbose mode. */
#include "http/receive.h"

#include <string.h>

#include "http/exchange.h"
#include "http/head.h"
#include "http/quirks.h"
#include "http/request.h"
#include "http/signal.h"
#include "http/state.h"
#include "http/timeouts.h"
#include "loop/loop.h"
#include "septet/septet.h"

/* Records why the transfer is aborted. Returns 0, which makes libcurl abort it. */
static size_t refuse(struct spt_easy *easy, const char *code)
{
    easy->abort.code = code;
    return 0;
}

/* Quirk FOLD: checks a line that libcurl has not processed yet. A line that is folded onto nothing
 * is changed into one that libcurl can process. It is refused when it reaches
 * spt_receive_on_header(). */
static void look_at_line(struct spt_easy *easy, char *line, size_t len)
{
    if (!easy->verbose.peeking || len == 0 || (line[0] != ' ' && line[0] != '\t'))
        return;
    line[0] = '?';
    easy->abort.code = "protocol";
    easy->head.fault = "header";
}

static bool has_words(const char *text, size_t len, const char *words)
{
    return memmem(text, len, words, strlen(words)) != NULL;
}

/* Reads whether the request has a stream and whether the server refused it. libcurl reports this in
 * no other way. */
static void listen_to(struct spt_easy *easy, const char *text, size_t len)
{
    easy->sent.on_stream |= has_words(text, len, "Using Stream ID");
    easy->sent.unseen |= has_words(text, len, "REFUSED_STREAM");
}

int spt_receive_on_debug(CURL *curl, curl_infotype type, char *text, size_t len, void *ud)
{
    struct spt_easy *easy = ud;
    if (type == CURLINFO_HEADER_IN)
        look_at_line(easy, text, len);
    else if (type == CURLINFO_TEXT && easy->verbose.listens)
        listen_to(easy, text, len);
    else if (type == CURLINFO_HEADER_OUT && easy->verbose.reports)
        spt_signal_sent_head(easy, text, len);
    else if (type == CURLINFO_DATA_OUT && easy->verbose.reports && !easy->request->upload)
        spt_signal_sent_body(easy, text, len);
    return 0;
}

void spt_receive_set_verbose(struct spt_easy *easy, bool wanted)
{
    curl_easy_setopt(easy->curl, CURLOPT_VERBOSE, (long)wanted);
}

/* Has libcurl show lines before it processes them, or not. That takes its verbose mode with all its
 * messages, so it is enabled for the first header line alone. */
static void peek_headers(struct spt_easy *easy, bool wanted)
{
    if (easy->verbose.peeking == wanted)
        return;
    easy->verbose.peeking = wanted;
    if (!easy->verbose.listens && !easy->verbose.reports)
        spt_receive_set_verbose(easy, wanted);
}

/* Handles the end of an interim response; the final one follows. */
static void end_of_interim(struct spt_easy *easy)
{
    easy->request->response->stamps.first_ns = 0;
    spt_timeouts_resume(easy->request, easy->interim.phase, easy->interim.since_ns);
}

/* Decides whether the body of a final response is read, and reports a streamed response. Returns
 * false if memory is out. */
static bool note_response(struct spt_easy *easy)
{
    struct spt_request *r = easy->request;
    struct spt_response *t = r->response;
    int status = easy->head.status;
    if (!easy->exchange.follow && !spt_response_read_redirect(t, status))
        return false;
    if (SPT_SIGNAL_IS_WANTED(r, HEADERS) && !easy->exchange.follow)
        spt_signal(r, SPT_SIGNAL_HEADERS, t->head.data, t->head.len);
    if (easy->exchange.follow || (r->manner.follows_redirects && t->redirect_url)) {
        spt_timeouts_discard(r, spt_loop_now(easy->driver->loop));
        return true;
    }
    if (!r->high_water)
        return true;
    t->status = status;
    t->version = easy->head.version;
    t->reused = !t->stamps.open_ns;
    t->headers_done = true;
    spt_queues_add_progress(&easy->driver->queues, r);
    return true;
}

/* Handles the complete head of a final response. Like note_line(), returns false if memory is
 * out. */
static bool note_head(struct spt_easy *easy)
{
    struct spt_exchange *e = &easy->exchange;
    struct spt_request *r = easy->request;
    if (easy->head.transfer && easy->head.length >= 0) { /* a peer that sent both may mean either */
        curl_easy_setopt(easy->curl, CURLOPT_FORBID_REUSE, 1L);
        easy->set.unchanged = false;
    }
    struct spt_poller *s = spt_pollers_find(&easy->driver->pollers, easy->connection.fd);
    if (s)
        s->shared = easy->head.version == 20;
    return spt_exchange_take_cookies(e, r) == SEPTET_OK &&
           spt_exchange_judge(e, r, easy->head.status) == SEPTET_OK && note_response(easy);
}

static bool note_line(struct spt_easy *easy, bool was_done)
{
    bool ok = true;
    if (easy->head.ended && !easy->head.done)
        end_of_interim(easy);
    else if (easy->head.done && !was_done)
        ok = note_head(easy);
    if (SPT_HAS_QUIRK(easy->driver->quirks, FOLD))
        peek_headers(easy, easy->head.begins);
    return ok;
}

size_t spt_receive_on_header(char *line, size_t size, size_t n, void *ud)
{
    struct spt_easy *easy = ud;
    struct spt_request *r = easy->request;
    bool was_done = easy->head.done;
    if (easy->abort.code)
        return 0;
    spt_timeouts_note_bytes(r);
    int rc = was_done ? spt_head_trailer(&easy->head, &r->response->trailers, line, size * n)
                      : spt_head_line(&easy->head, &r->response->head, line, size * n);
    switch (rc) {
    case SEPTET_OK:
        return note_line(easy, was_done) ? size * n : refuse(easy, "memory");
    case SEPTET_ETOOBIG:
        return refuse(easy, "headers_too_large");
    case SEPTET_EINVAL:
        return refuse(easy, "protocol");
    default:
        return refuse(easy, "memory");
    }
}
