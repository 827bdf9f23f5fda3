/* What the operations of HTTP have in common; private to op/http*.c. */
#ifndef SPT_OP_HTTP_ENV_H
#define SPT_OP_HTTP_ENV_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/public_url.h"
#include "core/sched.h"
#include "core/task.h"
#include "http/driver.h"
#include "http/headers.h"
#include "http/request.h"
#include "http/session.h"
#include "http/connection_options.h"
#include "op/env.h"

#define SPT_SESSION_META "septet.http.session"
#define SPT_TERMS_META   "septet.http.terms"
#define SPT_HEADERS_META "septet.http.headers"
#define SPT_HEAD_META    "septet.http.head"
#define SPT_UPLOAD_META  "septet.http.upload"

#define SPT_URL_LOG_MAX 1024 /* bytes of a URL in errors and traces */

struct spt_session_handle {
    struct spt_session *session; /* owned; NULL once closed */
    struct spt_link link;        /* in env->sessions while open: the host closes what is left */
};

/* What holds for a request: its session's, unless it has its own. */
struct spt_request_defaults {
    uint64_t connect_ns, first_byte_ns, idle_ns, queue_ns; /* limits; 0: none */
    size_t max_body;                                       /* bytes of a body that is gathered */
    size_t max_stream;                                     /* ... of one that is streamed */
    struct spt_connection_options profile;
};

struct spt_headers_handle {
    struct spt_headers *headers; /* owned */
};

struct spt_upload_handle {
    struct spt_upload upload;
    struct spt_request *request;  /* borrows: that sends it; NULL before and after */
    struct spt_upload_op *writer; /* that waits for room; NULL: none does */
    bool used, giving_up;
};

/* --- calls: a request at work, with what traces and hooks are told of it --- */

struct spt_http_request {
    struct spt_link link;      /* in env->calls while it rests */
    struct spt_deferred note;  /* the terminal event of a traced request */
    const void *owed_to_group; /* an object that is let go of when the end was told; NULL: none */
    uint64_t t_start_ns, t_end_ns;
    uint64_t place; /* line of the script, at trace level 2 */
    uint32_t task, ref;
    bool cancelled;
    struct spt_prefetch_hint turn; /* of who waits for the whole of it */
    struct spt_env *env;
    const void *trace; /* its trace is found by this; NULL: it has none */
    void *owner;       /* the operation or the stream; NULL: it has let go */
    struct spt_request request;
};

/* What a script's call asks for; kept by the values on its stack. */
struct spt_http_args {
    struct spt_session_handle *box;
    const struct spt_request_defaults *terms;
    const char *method, *url;
    const struct spt_headers *headers;
    const char *body;
    size_t body_len; /* bytes */
    struct spt_upload_handle *upload;
    uint64_t deadline_ns; /* 0: none */
};

enum { SPT_ASK_TRACE = 8, SPT_ASK_ARGS = 8 };

/* Reads (session, terms, headers, method, url, body, timeout) from the stack; the last two may be
 * nil, or not there: the fewer values a waiting task holds, the smaller its stack stays. Raises
 * Usage. */
void spt_http_args_check(lua_State *L, struct spt_env *env, struct spt_http_args *ask);

/* Takes a call for what was asked. NULL out of memory. Its owner fills in what it wants to be told
 * of. */
struct spt_http_request *spt_http_request_new(struct spt_env *env, const struct spt_http_args *ask,
                                              void *owner);

/* Starts the request. Returns as spt_request_start does. */
int spt_http_request_start(struct spt_http_request *call, const struct spt_session_handle *box,
                           uint32_t task);

/* The request is over: traces and hooks are told. */
void spt_http_request_ended(struct spt_http_request *call);

/* Its trace is told the end, which has come. */
void spt_http_request_tell(struct spt_http_request *call);

/* The owner lets go of it. Harmless for NULL. */
void spt_http_request_put(struct spt_http_request *call);

/* The trace at `index` is found by `key` from now on, as long as something keeps it. */
void spt_http_request_set_trace(lua_State *L, int index, const void *key);

/* Raises the request's failure, or what `status` says; `call` is NULL where it was let go of. */
int spt_http_request_raise(lua_State *L, const struct spt_http_request *call, int status);

/* Raises that there was no memory for a call. */
int spt_http_request_raise_memory(lua_State *L, const struct spt_http_args *ask);

/* Pushes what a response keeps of its head. */
void spt_http_request_push_head(lua_State *L, const struct spt_request *r);

/* Is it one over TLS whose certificate is not checked? */
bool spt_http_request_insecure(const struct spt_request *r);

/* Returns the text with what spt_escape escapes: itself where there is none, else written to `out`
 * and cut. */
const char *spt_shown(const char *text, char *out, size_t size);

/* --- uploads --- */

/* Some of it was taken. */
void spt_upload_room(struct spt_request *request);

/* The request is over. */
void spt_upload_over(struct spt_request *request);

/* --- the openers of http.c's parts --- */
void spt_open_http_types(lua_State *L, struct spt_env *env);
void spt_open_http_url(lua_State *L, struct spt_env *env);
void spt_open_http_calls(lua_State *L, struct spt_env *env);
void spt_open_http_stream(lua_State *L, struct spt_env *env);
void spt_open_http_text(lua_State *L, struct spt_env *env);
void spt_open_http_upload(lua_State *L, struct spt_env *env);

/* Closes the streams that scripts left open. */
void spt_http_stream_release(struct spt_env *env);

#endif
