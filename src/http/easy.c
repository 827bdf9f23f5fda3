/* Handles, pooled and in use. One function sets the options that hold for every request. Callbacks
 * write only to the request, the handle's struct and the table of sockets. */
#include "http/easy.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/body.h"
#include "http/decode.h"
#include "http/timeouts.h"
#include "loop/loop.h"
#include "http/attempt.h"
#include "septet/septet.h"

enum {
    UPLOAD_BUFFER = 65536, /* bytes of libcurl's upload buffer */
    IDLE_MAX_S = 60,       /* seconds; servers commonly close idle connections after 60 to 75 */
    KEEPALIVE_S = 30       /* seconds of silence before TCP probes the peer */
};

/* Returns true if the session's policy applies to the address. A proxy that the script names is its
 * own choice, and hides the addresses behind it. The environment may name a proxy or none, so every
 * address is checked. */
static bool is_judged(const struct spt_request *r)
{
    return r->session->policy && !(r->profile && r->profile->proxy);
}

static bool is_denied(struct spt_easy *easy, const struct sockaddr *address)
{
    struct spt_request *r = easy->request;
    if (!is_judged(r))
        return false;
    easy->denial = spt_policy_address(r->session->policy, address, r->allowed_by_name);
    if (!easy->denial.reason)
        return false;
    const void *bytes = address->sa_family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                            : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
    inet_ntop(address->sa_family, bytes, r->response->peer, sizeof r->response->peer);
    return true;
}

/* --- exchanges that are sent once --- */

static bool is_idempotent(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

/* Returns the number of bytes that libcurl has sent in all exchanges of the attempt, heads
 * included. */
static long bytes_written(const struct spt_easy *easy)
{
    long n = 0;
    curl_easy_getinfo(easy->curl, CURLINFO_REQUEST_SIZE, &n);
    return n;
}

/* Returns true if the server did not process the exchange, as far as is known. With quirk
 * HTTP2_MUTE that is assumed of any exchange on a stream. */
static bool was_refused(const struct spt_easy *easy)
{
    bool mute = SPT_HAS_QUIRK(easy->driver->quirks, HTTP2_MUTE);
    return easy->unseen || (easy->on_stream && mute);
}

bool spt_easy_is_spent(const struct spt_easy *easy)
{
    if (!easy->engaged)
        return false;
    return easy->head.done || (!is_idempotent(easy->request->method) &&
                               bytes_written(easy) > easy->written && !was_refused(easy));
}

/* Returns true if libcurl is about to repeat an exchange that must not be repeated. libcurl
 * announces a repeat only by opening a socket, or by a ready connection, once more. */
static bool is_repeat(struct spt_easy *easy)
{
    if (!spt_easy_is_spent(easy))
        return false;
    if (!easy->error[0])
        easy->repeat = "empty";
    else
        easy->repeat = strstr(easy->error, "Send") ? "send" : "receive";
    return true;
}

/* --- sockets --- */

static curl_socket_t on_open_socket(void *ud, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct spt_easy *easy = ud;
    struct spt_request *r = easy->request;
    if (is_repeat(easy) || is_denied(easy, &address->addr))
        return CURL_SOCKET_BAD;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    (void)purpose;
    if (fd < 0) {
        easy->open_errno = errno;
        return CURL_SOCKET_BAD;
    }
    struct spt_poller *s = spt_pollers_open(&easy->driver->pollers, fd, r->session);
    if (!s) {
        easy->open_errno = ENOMEM;
        close(fd);
        return CURL_SOCKET_BAD;
    }
    spt_pollers_connecting(s, easy, &easy->attempts);
    easy->unstalled = false;
    if (!easy->t_open_ns) {
        easy->t_open_ns = spt_loop_now(easy->driver->loop);
        spt_timeouts_enter(r, SPT_PHASE_CONNECTING, easy->t_open_ns);
        spt_dns_map_commit(r);
    }
    return fd;
}

/* Closes a socket. `ud` is the driver, as a connection outlives the handle that opened it. */
static int on_close_socket(void *ud, curl_socket_t fd)
{
    struct spt_driver *driver = ud;
    spt_pollers_close(&driver->pollers, fd);
    int rc = close(fd);
    spt_driver_fd_released(driver);
    return rc;
}

/* Returns the local port of a socket, or 0 if there is none. */
static int local_port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port) : 0;
}

/* Chooses the socket that became the connection. Those that lost to it are closed, which some
 * versions of libcurl do not report. */
static void on_connected(struct spt_easy *easy, int local_port)
{
    bool only = easy->attempts.next == easy->attempts.prev;
    while (!spt_link_alone(&easy->attempts)) {
        struct spt_poller *s = SPT_OF(easy->attempts.next, struct spt_poller, attempt);
        if (only || local_port_of(s->fd) == local_port) {
            spt_pollers_connected(s);
            easy->fd = s->fd;
            s->shared = easy->request->profile && easy->request->profile->http2;
        } else {
            spt_pollers_close(s->table, s->fd);
        }
    }
}

void spt_easy_drop_attempts(struct spt_easy *easy)
{
    while (!spt_link_alone(&easy->attempts)) {
        struct spt_poller *s = SPT_OF(easy->attempts.next, struct spt_poller, attempt);
        spt_pollers_close(s->table, s->fd);
    }
}

static void drop_decoder(struct spt_easy *easy)
{
    spt_decoder_free(easy->decoder);
    easy->decoder = NULL;
    easy->begun = false;
    easy->decoded = 0;
}

/* Begins an exchange on a ready connection. The answer to a challenge is an exchange of the same
 * attempt, and the response before it is dropped. The time until then counts as waiting, unless the
 * exchange opened a connection of its own. */
static void begin_exchange(struct spt_easy *easy, uint64_t now_ns)
{
    struct spt_session_stats *stats = &easy->request->session->stats;
    if (easy->t_open_ns > easy->t_ready_ns)
        stats->made++;
    else if (!easy->ready)
        stats->reused++;
    if (!easy->t_first_ns || easy->t_open_ns > easy->t_ready_ns)
        easy->t_ready_ns = now_ns;
    easy->t_first_ns = 0;
    drop_decoder(easy);
    easy->head.done = easy->head.within = false;
    easy->head.status = easy->head.version = 0;
    easy->request->response->head.len = 0;
    easy->ready = easy->engaged = true;
    easy->on_stream = easy->unseen = false;
    if (!is_idempotent(easy->request->method))
        easy->written = bytes_written(easy);
}

static bool sends_body(const struct spt_easy *easy)
{
    const struct spt_request *r = easy->request;
    return (r->body_len > 0 || r->upload) && !easy->exchange.kept_back;
}

static void note_peer(struct spt_response *t, const char *peer, int port)
{
    size_t len = strnlen(peer, sizeof t->peer - 1);
    memcpy(t->peer, peer, len);
    t->peer[len] = '\0';
    t->peer_port = (uint16_t)port;
}

static int on_ready(void *ud, char *peer, char *local, int peer_port, int local_port)
{
    struct spt_easy *easy = ud;
    struct spt_request *r = easy->request;
    uint64_t now_ns = spt_loop_now(easy->driver->loop);
    (void)local;
    if (is_repeat(easy))
        return CURL_PREREQFUNC_ABORT;
    spt_dns_map_commit(r);
    on_connected(easy, local_port);
    if (!r->profile || !r->profile->unix_socket)
        note_peer(r->response, peer, peer_port);
    if (is_judged(r))
        easy->denial = spt_policy_text(r->session->policy, peer, peer_port, r->allowed_by_name);
    if (easy->denial.reason)
        return CURL_PREREQFUNC_ABORT;
    begin_exchange(easy, now_ns);
    spt_timeouts_enter(r, sends_body(easy) ? SPT_PHASE_SENDING : SPT_PHASE_WAITING, now_ns);
    return CURL_PREREQFUNC_OK;
}

void spt_request_note_bytes(struct spt_request *r)
{
    struct spt_easy *easy = r->easy;
    if (easy->t_first_ns) {
        r->response->t_byte_ns = easy->driver->now_ns;
        return;
    }
    easy->phase = r->phase;
    easy->t_phase_ns = r->response->t_phase_ns;
    easy->t_first_ns = spt_loop_now(easy->driver->loop);
    spt_timeouts_enter(r, SPT_PHASE_RECEIVING, easy->t_first_ns);
}

/* Records why the transfer is aborted. Returns 0, which makes libcurl abort it. */
static size_t refuse(struct spt_easy *easy, const char *code)
{
    easy->abort_code = code;
    return 0;
}

/* Quirk FOLD: checks a line that libcurl has not processed yet. A line that is folded onto nothing
 * is changed into one that libcurl can process. It is refused when it reaches on_header(). */
static void look_at_line(struct spt_easy *easy, char *line, size_t len)
{
    if (!easy->peeking || len == 0 || (line[0] != ' ' && line[0] != '\t'))
        return;
    line[0] = '?';
    easy->abort_code = "protocol";
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
    easy->on_stream |= has_words(text, len, "Using Stream ID");
    easy->unseen |= has_words(text, len, "REFUSED_STREAM");
}

static int on_debug(CURL *curl, curl_infotype type, char *text, size_t len, void *ud)
{
    struct spt_easy *easy = ud;
    (void)curl;
    if (type == CURLINFO_HEADER_IN)
        look_at_line(easy, text, len);
    else if (type == CURLINFO_TEXT)
        listen_to(easy, text, len);
    return 0;
}

static void set_verbose(struct spt_easy *easy, bool wanted)
{
    curl_easy_setopt(easy->curl, CURLOPT_DEBUGFUNCTION, on_debug);
    curl_easy_setopt(easy->curl, CURLOPT_DEBUGDATA, easy);
    curl_easy_setopt(easy->curl, CURLOPT_VERBOSE, (long)wanted);
}

/* Has libcurl show lines before it processes them, or not. That takes its verbose mode with all its
 * messages, so it is enabled for the first header line alone. */
static void peek_headers(struct spt_easy *easy, bool wanted)
{
    if (easy->peeking == wanted)
        return;
    easy->peeking = wanted;
    if (!easy->listens)
        set_verbose(easy, wanted);
}

/* Handles the end of an interim response; the final one follows. */
static void end_of_interim(struct spt_easy *easy)
{
    easy->t_first_ns = 0;
    spt_timeouts_resume(easy->request, easy->phase, easy->t_phase_ns);
}

/* Handles the complete head of a final response. Like note_line(), returns false if memory is
 * out. */
static bool note_head(struct spt_easy *easy)
{
    if (easy->head.response && easy->head.length >= 0) /* a peer that sent both may mean either */
        curl_easy_setopt(easy->curl, CURLOPT_FORBID_REUSE, 1L);
    struct spt_poller *s = spt_pollers_find(&easy->driver->pollers, easy->fd);
    if (s)
        s->shared = easy->head.version == 20;
    return spt_exchange_take_cookies(easy) == SEPTET_OK && spt_exchange_judge(easy) == SEPTET_OK &&
           spt_request_headers_done(easy->request);
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

static size_t on_header(char *line, size_t size, size_t n, void *ud)
{
    struct spt_easy *easy = ud;
    struct spt_request *r = easy->request;
    bool was_done = easy->head.done;
    if (easy->abort_code)
        return 0;
    spt_request_note_bytes(r);
    switch (spt_head_line(&easy->head, &r->response->head, line, size * n)) {
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

/* Sets libcurl's defaults. If curl_easy_reset() finds no memory, it leaves them at zero and reports
 * no error. */
static void set_defaults(CURL *c)
{
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)CURL_MAX_WRITE_SIZE);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

/* Sets the options that are the same for every request. Two of them allocate memory. */
static CURLcode set_constant_options(struct spt_easy *easy)
{
    CURL *c = easy->curl;
    CURLcode proxy, encodings;
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
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's are no response */
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L); /* URLs are in normal form (url.h) */
    encodings = curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, SPT_CODINGS);
    curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L); /* decode.c does it */
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, easy);
    curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, easy->driver);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_ready);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, easy);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, easy);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, spt_body_write);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, easy);
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

/* Sets up a streamed upload. Its length is not known, so it is sent in chunks. */
static void set_upload(CURL *c, const struct spt_request *r)
{
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, NULL); /* left by an exchange without the body */
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)-1);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, spt_body_read);
    curl_easy_setopt(c, CURLOPT_READDATA, r->easy);
    curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, spt_body_seek);
    curl_easy_setopt(c, CURLOPT_SEEKDATA, r->easy);
}

/* Sets the method, which libcurl knows as GET, HEAD, or a body with a name of its own. */
static CURLcode set_method(CURL *c, const struct spt_request *r)
{
    const char *m = r->method;
    bool body = has_body(r), kept_back = r->easy->exchange.kept_back;
    if (strcmp(m, "HEAD") == 0)
        return curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    if (r->upload && !kept_back)
        set_upload(c, r);
    else if (body) {
        bool empty = kept_back || r->body_len == 0;
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
    uint64_t ms = ns / 1000000 + 1;
    return ms < INT_MAX ? (long)ms : INT_MAX; /* the maximum that libcurl takes */
}

/* Enables HTTP/2 over TLS, if the server offers it. Requests wait for a connection that is being
 * opened, to share it. */
static void ask_for_http2(struct spt_easy *easy)
{
    curl_easy_setopt(easy->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy->curl, CURLOPT_PIPEWAIT, 1L);
    easy->listens = !is_idempotent(easy->request->method);
    if (!easy->listens)
        return;
#if LIBCURL_VERSION_NUM >= 0x080300
    curl_global_trace("http/2"); /* verbose messages include its streams from now on */
#endif
    set_verbose(easy, true);
}

static char no_te[] = "TE:"; /* libcurl's notation for a header that is left out */

/* Sets the header lines of the current exchange. Quirk TRANSFER: makes libcurl accept a
 * Transfer-Encoding, as only later is it known whether the body can be used. The TE header that
 * goes with it is left out. */
static int set_headers(struct spt_easy *easy, const struct spt_request *r)
{
    struct curl_slist *headers;
    int rc = spt_exchange_headers(easy, has_body(r), &headers);
    if (rc != SEPTET_OK)
        return rc;
    if (SPT_HAS_QUIRK(easy->driver->quirks, TRANSFER)) {
        easy->no_te = (struct curl_slist){.data = no_te, .next = headers};
        headers = &easy->no_te;
        curl_easy_setopt(easy->curl, CURLOPT_TRANSFER_ENCODING, 1L);
    }
    curl_easy_setopt(easy->curl, CURLOPT_HTTPHEADER, headers);
    return SEPTET_OK;
}

static CURLcode set_request_options(struct spt_easy *easy, struct spt_request *r)
{
    CURL *c = easy->curl;
    if (set_headers(easy, r) != SEPTET_OK)
        return CURLE_OUT_OF_MEMORY;
    if (r->connect_ns) /* libcurl divides it between the addresses of a name */
        curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, whole_ms(r->connect_ns));
    CURLcode rc = set_method(c, r);
    spt_share_apply(&r->session->share, c, r->profile && r->profile->no_cookies);
    if (rc == CURLE_OK)
        rc = spt_dns_map_apply(r);
    if (rc == CURLE_OK)
        rc = spt_connection_options_apply(r->profile, c);
    bool pauses = r->high_water && SPT_HAS_QUIRK(easy->driver->quirks, HTTP2_PAUSE);
    if (r->profile && r->profile->http2 && !pauses)
        ask_for_http2(easy);
    return rc == CURLE_OK ? curl_easy_setopt(c, CURLOPT_URL, r->url) : rc;
}

static void free_easy(struct spt_easy *easy)
{
    curl_easy_setopt(easy->curl, CURLOPT_NOSIGNAL, 1L); /* else libcurl touches SIGPIPE's handler */
    curl_easy_cleanup(easy->curl);
    spt_exchange_release(&easy->exchange);
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
    spt_link_init(&easy->link);
    spt_link_init(&easy->stall_link);
    spt_link_init(&easy->attempts);
    if (set_constant_options(easy) == CURLE_OK)
        return easy;
    free_easy(easy);
    return NULL;
}

static struct spt_easy *take(struct spt_driver *driver)
{
    struct spt_link *link = spt_list_pop(&driver->pool);
    if (!link)
        return new_easy(driver);
    driver->pooled--;
    return SPT_OF(link, struct spt_easy, link);
}

static void reset_attempt_state(struct spt_easy *easy)
{
    drop_decoder(easy);
    easy->head = (struct spt_head){0};
    easy->fd = -1;
    easy->abort_code = NULL;
    easy->open_errno = 0;
    easy->error[0] = '\0';
    easy->denial = (struct spt_denial){0};
    easy->repeat = NULL;
    easy->ready = easy->engaged = easy->unstalled = easy->peeking = false;
    easy->on_stream = easy->unseen = false;
    easy->written = 0;
    easy->t_open_ns = easy->t_tls_ns = easy->t_ready_ns = easy->t_first_ns = 0;
    easy->sent_bytes = 0;
}

int spt_easy_acquire(struct spt_request *r)
{
    struct spt_driver *driver = r->session->driver;
    struct spt_easy *easy = take(driver);
    if (!easy)
        return SEPTET_ENOMEM;
    reset_attempt_state(easy);
    easy->retried = easy->listens = false;
    easy->tls = (r->url[4] | 0x20) == 's';
    easy->request = r;
    r->easy = easy;
    spt_exchange_first(&easy->exchange, r);
    if (set_request_options(easy, r) == CURLE_OK)
        return SEPTET_OK;
    spt_easy_release(r, true);
    return SEPTET_ENOMEM;
}

/* Resets the handle now rather than at the next use: it must not point into a request that its
 * owner may free. */
void spt_easy_release(struct spt_request *r, bool discard_handle)
{
    struct spt_easy *easy = r->easy;
    struct spt_driver *driver = easy->driver;
    r->easy = NULL;
    easy->request = NULL;
    assert(spt_link_alone(&easy->attempts));
    drop_decoder(easy);
    spt_link_remove(&easy->stall_link);
    spt_dns_map_clear(easy);
    spt_share_clear(&r->session->share, easy->curl);
    bool keep = !discard_handle && driver->pooled < SPT_EASY_POOL_MAX;
    if (keep)
        curl_easy_reset(easy->curl);
    if (!keep || set_constant_options(easy) != CURLE_OK) {
        free_easy(easy);
        return;
    }
    spt_exchange_release(&easy->exchange);
    spt_list_push_front(&driver->pool, &easy->link);
    driver->pooled++;
}

void spt_easy_retry(struct spt_easy *easy)
{
    reset_attempt_state(easy);
    easy->retried = true;
    curl_easy_setopt(easy->curl, CURLOPT_FRESH_CONNECT, 1L);
}

int spt_easy_repeat(struct spt_easy *easy)
{
    struct spt_request *r = easy->request;
    drop_decoder(easy);
    easy->head = (struct spt_head){0};
    easy->abort_code = easy->repeat = NULL;
    easy->open_errno = 0;
    easy->error[0] = '\0';
    easy->engaged = easy->unstalled = false;
    easy->sent_bytes = 0;
    if (set_headers(easy, r) != SEPTET_OK)
        return SEPTET_ENOMEM;
    if (easy->exchange.unasking) /* a peer that refuses a body may close without notice */
        curl_easy_setopt(easy->curl, CURLOPT_FRESH_CONNECT, 1L);
    return set_method(easy->curl, r) == CURLE_OK ? SEPTET_OK : SEPTET_ENOMEM;
}

void spt_easy_pool_release(struct spt_driver *driver)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&driver->pool)))
        free_easy(SPT_OF(link, struct spt_easy, link));
    driver->pooled = 0;
}
