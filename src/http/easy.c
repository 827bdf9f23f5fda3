/* SPDX-License-Identifier: MIT */
/* Keeps unused handles as a stack. Sets the options that hold for every request when a handle is
 * made or reset, and the others when it is taken. */
#include "http/easy.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "http/body.h"
#include "http/connect.h"
#include "http/connection_options.h"
#include "http/decoder.h"
#include "http/quirks.h"
#include "http/receive.h"
#include "http/resend.h"
#include "http/request.h"
#include "http/signal.h"
#include "http/state.h"
#include "http/url.h"
#include "septet/septet.h"

enum {
    UPLOAD_BUFFER = 65536,       /* bytes of libcurl's upload buffer */
    SMALL = CURL_MAX_WRITE_SIZE, /* bytes that libcurl receives at once */
    LARGE = 128 * 1024,          /* ... of a streamed body: a fifth of the calls */
    LARGE_MAX = 64,              /* number of transfers at a time that receive so many */
    KEEPALIVE_S = 30             /* seconds of silence before TCP probes the peer */
};

/* Sets libcurl's defaults. If curl_easy_reset() finds no memory, it leaves them at zero and reports
 * no error. */
static void set_defaults(CURL *c)
{
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)SMALL);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

/* Sets the options that are the same for every request. Three of them allocate memory. */
static CURLcode set_constant_options(struct spt_easy *easy)
{
    CURL *c = easy->curl;
    CURLcode proxy, no_proxy, encodings;
    set_defaults(c);
    curl_easy_setopt(c, CURLOPT_PRIVATE, easy);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, easy->error);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* a pending lookup is abandoned, not waited for */
    /* CURLOPT_PROTOCOLS_STR takes a text, which is parsed each time. */
    CURL_IGNORE_DEPRECATION(
        curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));)
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL); /* with one, each connection parses all its files */
    proxy = curl_easy_setopt(c, CURLOPT_PROXY, "");
    no_proxy = curl_easy_setopt(c, CURLOPT_NOPROXY, ""); /* else libcurl asks the environment */
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's are no response */
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L); /* URLs are in normal form (url.h) */
    encodings = curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, SPT_CODINGS);
    curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L); /* decoder.c does it */
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, (long)SPT_IDLE_MAX_S);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, spt_connect_on_open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, easy);
    curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, spt_connect_on_close_socket);
    curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, easy->driver);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, spt_connect_on_ready);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, easy);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, spt_receive_on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, easy);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, spt_body_on_write);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, easy);
    curl_easy_setopt(c, CURLOPT_DEBUGFUNCTION, spt_receive_on_debug);
    curl_easy_setopt(c, CURLOPT_DEBUGDATA, easy);
    easy->set.connect_ms = 0;
    easy->set.options = 0;
    if (proxy == CURLE_OK)
        proxy = no_proxy;
    return proxy != CURLE_OK ? proxy : encodings;
}

/* Returns true if the request has a body. Methods that are defined to have one send an empty body
 * if none is given, so that the server sees its length. */
static bool has_body(const struct spt_request *r)
{
    const char *m = r->method;
    return r->body || r->upload || strcmp(m, "POST") == 0 || strcmp(m, "PUT") == 0 ||
           strcmp(m, "PATCH") == 0;
}

/* Sets up a streamed upload, which is sent in chunks if its length is not known. */
static void set_upload(CURL *c, const struct spt_request *r)
{
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, NULL); /* left by an exchange without the body */
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->upload->length);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, spt_body_on_read);
    curl_easy_setopt(c, CURLOPT_READDATA, r->state.easy);
    curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, spt_body_on_seek);
    curl_easy_setopt(c, CURLOPT_SEEKDATA, r->state.easy);
}

/* Sets the method, which libcurl knows as GET, HEAD, or a body with a name of its own. */
static CURLcode set_method(CURL *c, const struct spt_request *r)
{
    const char *m = r->method;
    bool body = has_body(r), withheld = r->state.easy->exchange.withheld;
    if (strcmp(m, "HEAD") == 0)
        return curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    if (r->upload && !withheld)
        set_upload(c, r);
    else if (body) {
        bool empty = withheld || r->body_len == 0;
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, empty ? 0 : (curl_off_t)r->body_len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, empty ? "" : r->body);
        /* libcurl 8.14 may find an empty body unsent when an error response arrives, and close the
         * connection. */
        curl_easy_setopt(c, CURLOPT_KEEP_SENDING_ON_ERROR, (long)empty);
    }
    return strcmp(m, body ? "POST" : "GET") == 0 ? CURLE_OK
                                                 : curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, m);
}

static long whole_ms(uint64_t ns)
{
    uint64_t ms = ns / SPT_NS_PER_MS + 1;
    return ms < INT_MAX ? (long)ms : INT_MAX; /* the maximum that libcurl takes */
}

/* Enables HTTP/2 over TLS, if the server offers it. Requests wait for a connection that is being
 * opened, to share it. */
static void ask_for_http2(struct spt_easy *easy)
{
    curl_easy_setopt(easy->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy->curl, CURLOPT_PIPEWAIT, 1L);
    easy->verbose.listens = spt_resend_is_guarded(easy->request);
    if (!easy->verbose.listens)
        return;
#if LIBCURL_VERSION_NUM >= 0x080300
    curl_global_trace("http/2"); /* verbose messages include its streams from now on */
#endif
    spt_receive_set_verbose(easy, true);
}

static char no_te[] = "TE:"; /* libcurl's notation for a header that is left out */

/* Sets the header lines of the current exchange. Quirk TRANSFER: makes libcurl accept a
 * Transfer-Encoding, as only later is it known whether the body can be used. The TE header that
 * goes with it is left out. */
static int set_headers(struct spt_easy *easy, const struct spt_request *r)
{
    struct curl_slist *headers;
    int rc = spt_exchange_headers(&easy->exchange, r, has_body(r), &headers);
    if (rc != SEPTET_OK)
        return rc;
    if (SPT_HAS_QUIRK(easy->driver->quirks, TRANSFER)) {
        easy->exchange.no_te = (struct curl_slist){.data = no_te, .next = headers};
        headers = &easy->exchange.no_te;
        curl_easy_setopt(easy->curl, CURLOPT_TRANSFER_ENCODING, 1L);
    }
    curl_easy_setopt(easy->curl, CURLOPT_HTTPHEADER, headers);
    return SEPTET_OK;
}

/* Sets the address that the session was given for the host. libcurl takes every entry into its
 * cache: a thousand of them take 0.9 ms. A proxy's host may be among them. */
static void set_given(struct spt_easy *easy, const struct spt_request *r)
{
    struct curl_slist *all = r->state.session->share.resolve;
    if (spt_connection_options_has_proxy(r->connection)) {
        curl_easy_setopt(easy->curl, CURLOPT_RESOLVE, all);
        return;
    }
    const struct curl_slist *one = spt_dns_map_find_given(all, spt_request_authority(r));
    if (!one)
        return;
    easy->set.given = (struct curl_slist){.data = one->data};
    curl_easy_setopt(easy->curl, CURLOPT_RESOLVE, &easy->set.given);
}

static CURLcode set_addresses(struct spt_easy *easy, const struct spt_request *r)
{
    struct spt_session *session = r->state.session;
    const struct spt_lookup *lookup = &r->response->lookup;
    const char *name = lookup->answer ? spt_request_authority(r) : NULL;
    if (session->share.resolve)
        set_given(easy, r);
    return spt_dns_map_apply(&r->state.use.place->multi->dns_map, &easy->set.resolve_entry, lookup,
                             name, easy->curl);
}

/* Has the exchanges use new connections, which are closed behind them, and no earlier TLS session.
 * HTTP/2 is not asked for, as its connections would be shared. */
static void set_fresh(CURL *c)
{
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

/* Sets the time that libcurl divides between the addresses of a name; 0 is its default. */
static void set_connect_timeout(struct spt_easy *easy, const struct spt_request *r)
{
    long ms = r->timeouts->connect_ns ? whole_ms(r->timeouts->connect_ns) : 0;
    if (ms != easy->set.connect_ms)
        curl_easy_setopt(easy->curl, CURLOPT_CONNECTTIMEOUT_MS, ms);
    easy->set.connect_ms = ms;
}

/* Sets how many bytes libcurl receives at once. Before 8.7.0 it allocates a buffer for each
 * transfer that runs, so only some of those that may be large have a large one. */
static void set_buffer(struct spt_easy *easy, bool large)
{
    if (large == easy->set.large)
        return;
    if (curl_easy_setopt(easy->curl, CURLOPT_BUFFERSIZE, large ? (long)LARGE : (long)SMALL))
        return;
    easy->driver->handles.large += (unsigned)large - (unsigned)easy->set.large;
    easy->set.large = large;
}

/* Returns the number of the options that a handle may keep; 0 if there are none, or it may not. */
static uint64_t options_of(const struct spt_request *r)
{
    return r->connection ? r->connection->id : 0;
}

/* Returns true if the request sets no option that another request with the same options of its
 * connection does not set again: it is a GET with no body, and needs no verbose messages. */
static bool is_plain(const struct spt_request *r)
{
    const struct spt_connection_options *p = r->connection;
    bool stays = options_of(r) != 0 || spt_connection_options_are_none(p);
    bool varies = p && p->http2 && (r->high_water || r->manner.once);
    return stays && !varies && !r->state.watched && !r->manner.fresh && !has_body(r) &&
           strcmp(r->method, "GET") == 0;
}

/* Removes the options of an earlier request's connection, unless the request has the same ones. */
static CURLcode remove_options(struct spt_easy *easy, const struct spt_request *r)
{
    uint64_t has = easy->set.options;
    if (has == 0 || (has == options_of(r) && easy->set.unchanged))
        return CURLE_OK;
    curl_easy_reset(easy->curl);
    return set_constant_options(easy);
}

static CURLcode set_request_options(struct spt_easy *easy, struct spt_request *r)
{
    CURL *c = easy->curl;
    if (set_headers(easy, r) != SEPTET_OK)
        return CURLE_OUT_OF_MEMORY;
    set_connect_timeout(easy, r);
    set_buffer(easy, r->high_water > 0 && easy->driver->handles.large < LARGE_MAX);
    CURLcode rc = set_method(c, r);
    spt_share_apply(&r->state.session->share, c, r->connection && r->connection->no_cookies);
    if (rc == CURLE_OK)
        rc = set_addresses(easy, r);
    bool has_options = easy->set.options != 0; /* they are the same */
    if (rc == CURLE_OK && !has_options)
        rc = spt_connection_options_apply(r->connection, c);
    easy->set.options = options_of(r);
    easy->verbose.reports = (r->state.watched & SPT_SIGNALS_OF_SENDING) != 0;
    if (easy->verbose.reports)
        spt_receive_set_verbose(easy, true);
    if (r->state.watched && r->state.signalled->lookup_by == SPT_LOOKUP_BY_LIBCURL) {
        curl_easy_setopt(c, CURLOPT_RESOLVER_START_FUNCTION, spt_signal_on_resolve);
        curl_easy_setopt(c, CURLOPT_RESOLVER_START_DATA, easy);
    }
    bool pauses = r->high_water && SPT_HAS_QUIRK(easy->driver->quirks, HTTP2_PAUSE);
    if (r->manner.fresh)
        set_fresh(c);
    else if (r->connection && r->connection->http2 && !pauses && !has_options)
        ask_for_http2(easy);
    return rc == CURLE_OK ? curl_easy_setopt(c, CURLOPT_URL, r->url) : rc;
}

static void free_easy(struct spt_easy *easy)
{
    curl_easy_setopt(easy->curl, CURLOPT_NOSIGNAL, 1L); /* else libcurl touches SIGPIPE's handler */
    curl_easy_cleanup(easy->curl);
    spt_exchange_release(&easy->exchange);
    spt_buf_release(&easy->verbose.shown.head);
    spt_buf_release(&easy->verbose.shown.held);
    free(easy);
}

static struct spt_easy *new_easy(struct spt_driver *driver)
{
    struct spt_easy *easy = calloc(1, sizeof *easy);
    if (!easy)
        return NULL;
    easy->curl = curl_easy_init();
    if (!easy->curl) {
        free(easy);
        return NULL;
    }
    easy->driver = driver;
    spt_buf_init(&easy->verbose.shown.head, SIZE_MAX / 2);
    spt_buf_init(&easy->verbose.shown.held, SIZE_MAX / 2);
    spt_link_init(&easy->link);
    spt_link_init(&easy->connection.stall_link);
    spt_link_init(&easy->connection.connecting);
    if (set_constant_options(easy) == CURLE_OK)
        return easy;
    free_easy(easy);
    return NULL;
}

static struct spt_easy *take(struct spt_driver *driver)
{
    struct spt_link *link = spt_list_pop(&driver->handles.unused);
    if (!link)
        return new_easy(driver);
    driver->handles.n--;
    return SPT_OF(link, struct spt_easy, link);
}

static void reset_attempt_state(struct spt_easy *easy)
{
    struct spt_stamps *at = &easy->request->response->stamps;
    spt_body_drop_decoder(easy);
    easy->head = (struct spt_head){0};
    easy->connection.fd = -1;
    easy->error[0] = '\0';
    easy->abort = (struct spt_abort){0};
    easy->sent = (struct spt_sent){0};
    easy->ready = easy->set.completed = easy->connection.unstalled = easy->verbose.peeking = false;
    at->open_ns = at->tls_ns = at->ready_ns = at->first_ns = 0;
}

/* Returns the jar of a request, or NULL if it goes without one. */
static struct spt_jar *jar_of(const struct spt_request *r)
{
    bool without = !r->state.session->keeps_cookies || (r->connection && r->connection->no_cookies);
    return without ? NULL : &r->state.session->jar;
}

int spt_easy_acquire(struct spt_request *r)
{
    struct spt_driver *driver = r->state.session->driver;
    struct spt_easy *easy = take(driver);
    if (!easy)
        return SEPTET_ENOMEM;
    easy->request = r;
    reset_attempt_state(easy);
    easy->restarted = easy->verbose.listens = false;
    easy->set.unchanged = is_plain(r);
    easy->connection.tls = spt_url_is_https(r->url);
    r->state.easy = easy;
    spt_exchange_first(&easy->exchange, r, &r->state.session->nonces, jar_of(r));
    if (remove_options(easy, r) == CURLE_OK && set_request_options(easy, r) == CURLE_OK)
        return SEPTET_OK;
    spt_easy_release(r, true);
    return SEPTET_ENOMEM;
}

/* Resets the handle now rather than at the next use: it must not point into a request that its
 * owner may free. A handle that is as before its request is not reset, which takes 4 700
 * instructions less, a twentieth of a small GET. It still points to header lines, which the next
 * request replaces. */
void spt_easy_release(struct spt_request *r, bool discard_handle)
{
    struct spt_easy *easy = r->state.easy;
    struct spt_driver *driver = easy->driver;
    r->state.easy = NULL;
    easy->request = NULL;
    assert(spt_list_is_empty(&easy->connection.connecting));
    set_buffer(easy, false);
    spt_body_drop_decoder(easy);
    spt_link_remove(&easy->connection.stall_link);
    spt_dns_map_clear(&easy->set.resolve_entry, easy->curl);
    spt_share_clear(&r->state.session->share, easy->curl);
    bool keep = !discard_handle && driver->handles.n < SPT_EASY_POOL_MAX;
    bool reset = keep && !(easy->set.unchanged && easy->set.completed && !easy->verbose.peeking);
    if (reset)
        curl_easy_reset(easy->curl);
    if (!keep || (reset && set_constant_options(easy) != CURLE_OK)) {
        free_easy(easy);
        return;
    }
    spt_exchange_release(&easy->exchange);
    spt_list_push_front(&driver->handles.unused, &easy->link);
    driver->handles.n++;
}

void spt_easy_restart(struct spt_easy *easy)
{
    reset_attempt_state(easy);
    easy->restarted = true;
    easy->set.unchanged = false;
    curl_easy_setopt(easy->curl, CURLOPT_FRESH_CONNECT, 1L);
}

int spt_easy_next_exchange(struct spt_easy *easy)
{
    struct spt_request *r = easy->request;
    easy->set.unchanged = false;
    spt_body_drop_decoder(easy);
    easy->head = (struct spt_head){0};
    easy->abort.code = easy->abort.no_resend = NULL;
    easy->abort.os_errno = 0;
    easy->error[0] = '\0';
    easy->sent.engaged = easy->connection.unstalled = false;
    easy->sent.body_bytes = 0;
    if (set_headers(easy, r) != SEPTET_OK)
        return SEPTET_ENOMEM;
    if (easy->exchange.without_expect) /* a peer that refuses a body may close without notice */
        curl_easy_setopt(easy->curl, CURLOPT_FRESH_CONNECT, 1L);
    return set_method(easy->curl, r) == CURLE_OK ? SEPTET_OK : SEPTET_ENOMEM;
}

void spt_easy_pool_release(struct spt_driver *driver)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&driver->handles.unused)))
        free_easy(SPT_OF(link, struct spt_easy, link));
    driver->handles.n = 0;
}
