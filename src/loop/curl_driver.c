/* The driver: sessions, requests, and the lap that moves them. libcurl is entered from here alone:
 * for a socket that is ready, for what is due, and to add or remove a handle; its callbacks only
 * take notes. */
#include "loop/curl_driver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/curl_error.h"
#include "loop/driver.h"
#include "loop/easy.h"
#include "loop/limits.h"
#include "loop/loop.h"
#include "septet/septet.h"

#define NS_PER_MS         UINT64_C(1000000)
#define CURL_VER(x, y, z) ((unsigned)((x) << 16 | (y) << 8 | (z)))

enum {
    CONNECTIONS_MIN = 256,  /* kept open per session, whatever its limit */
    BUFFER_KEPT_MAX = 16384 /* bytes of a buffer that waits for the next request */
};

/* The session has something to do in the next lap. */
static void touch(struct spt_session *session)
{
    if (!spt_link_alone(&session->pending))
        return;
    spt_list_push(&session->driver->pending, &session->pending);
    spt_loop_wake(session->driver->loop);
}

static void enter_curl(struct spt_driver *driver)
{
    assert(!driver->in_curl);
    driver->in_curl = true;
}

static void leave_curl(struct spt_driver *driver)
{
    driver->in_curl = false;
}

/* --- what libcurl asks for --- */

/* It has let go of a socket before it was connected. Before 8.4.0 it then sleeps until that
 * address's share of the time has passed, instead of trying the next address. */
static void note_attempt_over(struct spt_driver *driver, int fd)
{
    struct spt_socket *s = spt_sockets_find(&driver->sockets, fd);
    struct spt_easy *easy = s ? s->opener : NULL;
    if (!driver->quirk_poke || !easy || easy->poked)
        return;
    easy->poked = true;
    spt_list_push(&driver->pokes, &easy->poke);
    touch(easy->request->session);
}

/* A socket that connects wants to be written. When it wants to be read instead, it is connected and
 * the TLS handshake has begun, of which libcurl tells nothing before its end. */
static void note_handshake(struct spt_driver *driver, int fd)
{
    struct spt_socket *s = spt_sockets_find(&driver->sockets, fd);
    struct spt_easy *easy = s ? s->opener : NULL;
    if (!easy || !easy->tls || easy->t_tls_ns)
        return;
    easy->t_tls_ns = spt_loop_now();
    spt_limits_enter(easy->request, SPT_PHASE_TLS, easy->t_tls_ns);
}

/* `curl` may be a handle of libcurl's own. The result is always 0: anything else ends every
 * transfer there is, while one that is not watched ends by its time limit. */
static int on_socket(CURL *curl, curl_socket_t fd, int what, void *ud, void *unused)
{
    struct spt_session *session = ud;
    struct spt_driver *driver = session->driver;
    int mask = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    (void)curl, (void)unused;
    if (!session->multi)
        return 0;
    if (what == CURL_POLL_REMOVE) {
        mask = 0;
        note_attempt_over(driver, fd);
    } else if (what == CURL_POLL_IN) {
        note_handshake(driver, fd);
    }
    spt_sockets_want(&driver->sockets, fd, mask, session);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ud)
{
    struct spt_session *session = ud;
    (void)multi;
    if (!session->multi)
        return 0;
    session->due_ns = ms > 0 ? spt_loop_now() + (uint64_t)ms * NS_PER_MS : SPT_NEVER;
    if (ms == 0) {
        session->kick = true;
        touch(session);
    }
    return 0;
}

static void act(struct spt_session *session, curl_socket_t fd, int flags)
{
    int running;
    session->driver->now_ns = spt_loop_now();
    enter_curl(session->driver);
    curl_multi_socket_action(session->multi, fd, flags, &running);
    leave_curl(session->driver);
}

static void on_socket_ready(void *owner, int fd, int events)
{
    struct spt_session *session = owner;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                (events & SPT_SOCKET_ERROR ? CURL_CSELECT_ERR : 0);
    act(session, fd, flags);
    touch(session);
}

static void on_due(struct spt_timer *timer)
{
    struct spt_session *session = SPT_OF(timer, struct spt_session, timer);
    touch(session); /* the lap sees whether it is due, or has moved */
}

/* --- the end of a request --- */

static void remove_from_multi(struct spt_request *r)
{
    struct spt_driver *driver = r->session->driver;
    spt_easy_drop_attempts(r->easy);
    enter_curl(driver);
    curl_multi_remove_handle(r->session->multi, r->easy->curl);
    leave_curl(driver);
}

/* Takes a request out of all it is in: the queue, or the multi and its handle. */
static void detach(struct spt_request *r, bool doubtful)
{
    struct spt_session *session = r->session;
    struct spt_driver *driver = session->driver;
    if (r->phase == SPT_PHASE_QUEUED) {
        spt_admission_withdraw(&session->admission, r->origin, &r->link);
    } else {
        spt_link_remove(&r->link);
        if (r->easy)
            spt_easy_put(r, doubtful);
        spt_admission_leave(&session->admission, r->origin);
    }
    spt_limits_stop(r, driver);
    r->origin = NULL;
    r->session = NULL;
    driver->requests--;
    spt_loop_unref(driver->loop);
    if (spt_admission_ready(&session->admission))
        touch(session);
}

static bool redirects(int status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

/* Where the response points, made absolute by libcurl; NULL where it does not, or memory ran out. */
static char *redirect_of(struct spt_easy *easy)
{
    char *url = NULL;
    curl_easy_getinfo(easy->curl, CURLINFO_REDIRECT_URL, &url);
    return url ? strdup(url) : NULL;
}

/* The request is over; `failure` says how. Its handle is out of the multi. */
static void finish(struct spt_request *r, bool doubtful)
{
    struct spt_driver *driver = r->session->driver;
    spt_limits_times(r, spt_loop_now());
    if (r->easy) {
        r->status = r->easy->head.status;
        r->version = r->easy->head.version;
        r->reused = r->easy->ready && !r->easy->t_open_ns;
        if (redirects(r->status) && !r->failure.code)
            r->redirect_url = redirect_of(r->easy);
    }
    detach(r, doubtful);
    spt_list_push(&driver->finished, &r->link);
    spt_loop_wake(driver->loop);
}

static void fail(struct spt_request *r, const char *code, const char *reason, const char *text)
{
    r->failure.code = code;
    r->failure.reason = reason;
    r->failure.phase = spt_request_phase(r);
    snprintf(r->failure.text, sizeof r->failure.text, "%s", text);
}

void spt_request_timed_out(struct spt_request *r)
{
    struct spt_failure failure = r->failure; /* libcurl may write its own words as it ends it */
    if (r->easy)
        remove_from_multi(r);
    r->failure = failure;
    finish(r, false);
}

static const char *refusal_text(const char *code)
{
    if (strcmp(code, "body_too_large") == 0)
        return "the body of the response is larger than allowed";
    if (strcmp(code, "headers_too_large") == 0)
        return "the head of the response is larger than allowed";
    if (strcmp(code, "protocol") == 0)
        return "the server switched protocols, which nobody asked for";
    return "out of memory";
}

/* Which of the limits a timeout of libcurl's own stands for. */
static const char *timeout_reason(enum spt_phase phase)
{
    return phase <= SPT_PHASE_TLS ? "connect" : "idle";
}

/* A header line too long for libcurl looks like memory that ran out. */
static bool is_long_header(const struct spt_easy *easy, CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY && easy->ready && !easy->head.done;
}

static void judge(struct spt_request *r, CURLcode code)
{
    struct spt_easy *easy = r->easy;
    long os_errno = easy->open_errno;
    if (code == CURLE_OK) {
        r->failure.text[0] = '\0';
        return;
    }
    if (is_long_header(easy, code))
        easy->refused = "headers_too_large";
    if (easy->refused) {
        fail(r, easy->refused, NULL, refusal_text(easy->refused));
        return;
    }
    if (!os_errno)
        curl_easy_getinfo(easy->curl, CURLINFO_OS_ERRNO, &os_errno);
    struct spt_error_words words = spt_curl_error(code, os_errno, r->failure.text);
    r->failure.code = words.code;
    r->failure.phase = spt_request_phase(r);
    r->failure.reason =
        code == CURLE_OPERATION_TIMEDOUT ? timeout_reason(r->failure.phase) : words.reason;
    if (!r->failure.text[0])
        snprintf(r->failure.text, sizeof r->failure.text, "%s", curl_easy_strerror(code));
}

/* A pooled connection that the server had dropped: nothing of the request was answered, so it is
 * safe to do what libcurl itself does for the first few of them. */
static bool is_stale(const struct spt_easy *easy, CURLcode code)
{
    long connects = 0;
    if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING)
        return false;
    curl_easy_getinfo(easy->curl, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0 && easy->head.lines == 0 && !easy->retried;
}

static CURLMcode add_to_multi(struct spt_request *r)
{
    struct spt_session *session = r->session;
    enter_curl(session->driver);
    CURLMcode rc = curl_multi_add_handle(session->multi, r->easy->curl);
    leave_curl(session->driver);
    return rc;
}

static void fail_memory(struct spt_request *r)
{
    fail(r, "memory", NULL, "out of memory");
    finish(r, true);
}

static void conclude(struct spt_request *r, CURLcode code)
{
    bool doubtful = code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT;
    bool stale = is_stale(r->easy, code);
    if (!stale)
        judge(r, code);
    remove_from_multi(r);
    if (!stale) {
        finish(r, doubtful);
        return;
    }
    spt_easy_retry(r->easy);
    spt_limits_enter(r, SPT_PHASE_RESOLVING, spt_loop_now());
    if (add_to_multi(r) != CURLM_OK)
        fail_memory(r);
}

static void read_messages(struct spt_session *session)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(session->multi, &left));) {
        struct spt_easy *easy = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result; /* removing the handle frees the message */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &easy);
        conclude(easy->request, code);
    }
}

/* --- the lap --- */

static void launch(struct spt_request *r, uint64_t now_ns)
{
    struct spt_session *session = r->session;
    r->t_admitted_ns = now_ns;
    spt_list_push(&session->flight, &r->link);
    spt_limits_enter(r, SPT_PHASE_RESOLVING, now_ns);
    if (spt_easy_get(r) != SEPTET_OK || add_to_multi(r) != CURLM_OK)
        fail_memory(r);
}

static void admit(struct spt_session *session)
{
    if (!spt_admission_ready(&session->admission))
        return;
    uint64_t now_ns = spt_loop_now();
    struct spt_link *link;
    while ((link = spt_admission_next(&session->admission)))
        launch(SPT_OF(link, struct spt_request, link), now_ns);
}

/* A kick leaves a later instant alone: some versions tell it only once. */
static void run_due(struct spt_session *session)
{
    bool due = session->due_ns != SPT_NEVER && session->due_ns <= spt_loop_now();
    if (!session->kick && !due)
        return;
    session->kick = false;
    if (due)
        session->due_ns = SPT_NEVER;
    act(session, CURL_SOCKET_TIMEOUT, 0);
    if (session->driver->quirk_timeout) {
        long ms = -1;
        curl_multi_timeout(session->multi, &ms);
        on_timer(session->multi, ms, session);
    }
}

static void arm_timer(struct spt_session *session)
{
    struct spt_timers *timers = session->driver->timers;
    if (session->due_ns == SPT_NEVER)
        spt_timer_stop(timers, &session->timer);
    else if (!session->timer.armed || session->due_ns < session->timer.due_ns)
        spt_timer_start(timers, &session->timer, session->due_ns, on_due);
}

static void run_session(struct spt_session *session)
{
    admit(session);
    run_due(session);
    read_messages(session);
    arm_timer(session);
}

/* Pausing and going on again makes libcurl look at the transfer at once; nothing is received yet
 * that the pause could hold back. */
static void run_pokes(struct spt_driver *driver)
{
    struct spt_link *link;
    while ((link = spt_list_pop(&driver->pokes))) {
        struct spt_easy *easy = SPT_OF(link, struct spt_easy, poke);
        if (easy->ready)
            continue;
        enter_curl(driver);
        curl_easy_pause(easy->curl, CURLPAUSE_RECV);
        curl_easy_pause(easy->curl, CURLPAUSE_CONT);
        leave_curl(driver);
    }
}

static bool deliver(struct spt_driver *driver)
{
    struct spt_link batch, *link;
    bool any = false;
    spt_link_init(&batch);
    spt_list_splice(&batch, &driver->finished);
    while ((link = spt_list_pop(&batch))) {
        struct spt_request *r = SPT_OF(link, struct spt_request, link);
        any = true;
        r->on_done(r);
    }
    return any;
}

bool spt_driver_drain(struct spt_driver *driver)
{
    struct spt_link batch, *link;
    spt_link_init(&batch);
    spt_list_splice(&batch, &driver->pending);
    while ((link = spt_list_pop(&batch)))
        run_session(SPT_OF(link, struct spt_session, pending));
    run_pokes(driver);
    spt_sockets_apply(&driver->sockets);
    return deliver(driver) || spt_driver_due(driver) == 0;
}

uint64_t spt_driver_due(const struct spt_driver *driver)
{
    bool idle = spt_link_alone(&driver->pending) && spt_link_alone(&driver->finished);
    return idle ? SPT_NEVER : 0;
}

/* --- the driver --- */

const char *spt_http_encodings(void)
{
    static char list[64];
    if (list[0])
        return list;
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    snprintf(list, sizeof list, "%s%s%s",
             v->features & CURL_VERSION_LIBZ ? "deflate, gzip" : "identity",
             v->features & CURL_VERSION_BROTLI ? ", br" : "",
             v->features & CURL_VERSION_ZSTD ? ", zstd" : "");
    return list;
}

static CURLcode global_code;

static void init_curl(void)
{
    global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int spt_driver_new(struct spt_driver **out, struct spt_loop *loop, struct spt_timers *timers)
{
    struct spt_driver *driver = calloc(1, sizeof *driver);
    if (!driver)
        return SEPTET_ENOMEM;
    driver->loop = loop;
    driver->timers = timers;
    spt_sockets_init(&driver->sockets, loop, on_socket_ready);
    spt_link_init(&driver->sessions);
    spt_link_init(&driver->pending);
    spt_link_init(&driver->finished);
    spt_link_init(&driver->pokes);
    spt_link_init(&driver->pool);
    *out = driver;
    return SEPTET_OK;
}

/* What only a host that speaks HTTP needs, at its first session: initialising libcurl and its TLS
 * library takes milliseconds. */
static int start_curl(struct spt_driver *driver)
{
    static uv_once_t once = UV_ONCE_INIT;
    if (driver->urls.parser)
        return SEPTET_OK;
    uv_once(&once, init_curl);
    if (global_code != CURLE_OK)
        return SEPTET_ENOMEM;
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    driver->quirk_poke = v->version_num < CURL_VER(8, 4, 0);
    driver->quirk_timeout =
        v->version_num >= CURL_VER(8, 10, 0) && v->version_num <= CURL_VER(8, 11, 0);
    driver->encodings = spt_http_encodings();
    return spt_url_checker_init(&driver->urls);
}

static void cancel_all(struct spt_session *session)
{
    struct spt_link *link;
    while (!spt_link_alone(&session->flight))
        spt_request_cancel(SPT_OF(session->flight.next, struct spt_request, link));
    while ((link = spt_admission_next(&session->admission))) {
        struct spt_request *r = SPT_OF(link, struct spt_request, link);
        r->phase = SPT_PHASE_ENDED;
        detach(r, false);
    }
}

void spt_driver_free(struct spt_driver *driver)
{
    assert(!driver->in_curl);
    while (!spt_link_alone(&driver->sessions)) {
        struct spt_session *s = SPT_OF(driver->sessions.next, struct spt_session, link);
        cancel_all(s);
        spt_session_free(s);
    }
    while (spt_list_pop(&driver->finished))
        ;
    spt_easy_pool_release(driver);
    spt_sockets_release(&driver->sockets);
    spt_url_checker_release(&driver->urls);
    free(driver);
}

unsigned spt_driver_sockets(const struct spt_driver *driver)
{
    return driver->sockets.count;
}

unsigned spt_driver_requests(const struct spt_driver *driver)
{
    return driver->requests;
}

/* --- sessions --- */

static int make_multi(struct spt_session *session, unsigned limit)
{
    long kept = 2L * limit > CONNECTIONS_MIN ? 2L * limit : CONNECTIONS_MIN;
    session->multi = curl_multi_init();
    if (!session->multi)
        return SEPTET_ENOMEM;
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(session->multi, CURLMOPT_SOCKETDATA, session);
    curl_multi_setopt(session->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(session->multi, CURLMOPT_TIMERDATA, session);
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, kept);
    return SEPTET_OK;
}

int spt_session_new(struct spt_session **out, struct spt_driver *driver,
                    const struct spt_session_config *config)
{
    if (config->limit == 0 || config->limit_per_host == 0)
        return SEPTET_EINVAL;
    int rc = start_curl(driver);
    if (rc != SEPTET_OK)
        return rc;
    struct spt_session *session = calloc(1, sizeof *session);
    if (!session)
        return SEPTET_ENOMEM;
    session->driver = driver;
    session->due_ns = SPT_NEVER;
    spt_link_init(&session->pending);
    spt_link_init(&session->flight);
    rc = spt_admission_init(&session->admission, config->limit, config->limit_per_host);
    if (rc != SEPTET_OK)
        goto free_session;
    rc = make_multi(session, config->limit);
    if (rc != SEPTET_OK)
        goto release_admission;
    spt_link_init(&session->link);
    spt_list_push(&driver->sessions, &session->link);
    *out = session;
    return SEPTET_OK;

release_admission:
    spt_admission_release(&session->admission);
free_session:
    free(session);
    return rc;
}

static void end_closed(struct spt_request *r)
{
    fail(r, "closed", NULL, "the session was closed");
    if (r->easy) {
        struct spt_failure failure = r->failure;
        remove_from_multi(r);
        r->failure = failure;
    }
    finish(r, false);
}

/* With the flights gone every origin has room, so that the queues empty in their usual order. */
static void end_all(struct spt_session *session)
{
    struct spt_link *link;
    while (!spt_link_alone(&session->flight))
        end_closed(SPT_OF(session->flight.next, struct spt_request, link));
    while ((link = spt_admission_next(&session->admission))) {
        struct spt_request *r = SPT_OF(link, struct spt_request, link);
        fail(r, "closed", NULL, "the session was closed");
        r->phase = SPT_PHASE_RESOLVING; /* it is out of the queue */
        finish(r, false);
    }
}

void spt_session_close(struct spt_session *session)
{
    struct spt_driver *driver = session->driver;
    CURLM *multi = session->multi;
    if (!multi)
        return;
    assert(!driver->in_curl);
    end_all(session);
    session->multi = NULL; /* from now on the callbacks do nothing */
    spt_timer_stop(driver->timers, &session->timer);
    spt_sockets_close_all(&driver->sockets, session);
    enter_curl(driver);
    curl_multi_cleanup(multi);
    leave_curl(driver);
    spt_link_remove(&session->pending);
}

void spt_session_free(struct spt_session *session)
{
    spt_session_close(session);
    spt_admission_release(&session->admission);
    spt_link_remove(&session->link);
    free(session);
}

/* --- requests --- */

const char *spt_phase_word(enum spt_phase phase)
{
    switch (phase) {
#define XX(name, word)                                                                             \
    case SPT_PHASE_##name:                                                                         \
        return word;
        SPT_PHASE_MAP(XX)
#undef XX
    }
    return "unknown";
}

static int refuse(struct spt_request *r, const char *code, const char *reason)
{
    r->failure.code = code;
    r->failure.reason = reason;
    r->failure.phase = SPT_PHASE_QUEUED;
    return strcmp(reason, "memory") == 0 ? SEPTET_ENOMEM : SEPTET_EINVAL;
}

static int check_method(struct spt_request *r)
{
    const char *m = r->method, *why = NULL;
    if (!spt_is_token(m, strlen(m)))
        why = "the method is not a token";
    else if (strcmp(m, "CONNECT") == 0)
        why = "CONNECT is for proxies";
    else if (strcmp(m, "HEAD") == 0 && r->body)
        why = "a HEAD request has no body";
    if (!why)
        return SEPTET_OK;
    snprintf(r->failure.text, sizeof r->failure.text, "%s", why);
    return refuse(r, "protocol", "method");
}

static int check(struct spt_request *r, struct spt_url_checker *urls,
                 const struct spt_url_origin **origin)
{
    int rc = check_method(r);
    if (rc != SEPTET_OK)
        return rc;
    const char *word = spt_url_check(urls, r->url, origin, r->failure.text, sizeof r->failure.text);
    return word ? refuse(r, "url", word) : SEPTET_OK;
}

int spt_request_start(struct spt_session *session, struct spt_request *r)
{
    struct spt_driver *driver = session->driver;
    const struct spt_url_origin *origin;
    if (!session->multi)
        return SEPTET_ECLOSED;
    int rc = check(r, &driver->urls, &origin);
    if (rc != SEPTET_OK)
        return rc;
    spt_link_init(&r->link);
    r->origin = spt_admission_enter(&session->admission, origin->key, origin->len, &r->link);
    if (!r->origin)
        return SEPTET_ENOMEM;
    r->session = session;
    r->easy = NULL;
    r->t_start_ns = spt_loop_now();
    r->head.max = SPT_HEAD_MAX;
    r->body_in.max = r->max_body;
    driver->requests++;
    spt_loop_ref(driver->loop);
    spt_limits_enter(r, SPT_PHASE_QUEUED, r->t_start_ns);
    touch(session);
    return SEPTET_OK;
}

void spt_request_cancel(struct spt_request *r)
{
    if (!r->session) { /* never started, refused, or over */
        if (r->link.next)
            spt_link_remove(&r->link);
        return;
    }
    r->failure.phase = spt_request_phase(r);
    if (r->easy)
        remove_from_multi(r);
    detach(r, false);
}

void spt_request_release(struct spt_request *r)
{
    spt_buf_release(&r->head);
    spt_buf_release(&r->body_in);
    free(r->redirect_url);
    r->redirect_url = NULL;
}

/* Empties a buffer for the next request, and frees it where it is larger than most need. */
static void reuse(struct spt_buf *b)
{
    if (b->cap > BUFFER_KEPT_MAX)
        spt_buf_release(b);
    b->len = 0;
}

void spt_request_reset(struct spt_request *r)
{
    reuse(&r->head);
    reuse(&r->body_in);
    free(r->redirect_url);
    *r = (struct spt_request){.head = r->head, .body_in = r->body_in};
}

enum spt_phase spt_request_phase(const struct spt_request *r)
{
    curl_off_t sent = 0;
    if (r->phase != SPT_PHASE_SENDING)
        return r->phase;
    curl_easy_getinfo(r->easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    return sent >= (curl_off_t)r->body_len ? SPT_PHASE_WAITING : SPT_PHASE_SENDING;
}
