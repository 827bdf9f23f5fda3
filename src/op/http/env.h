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
#include "http/curl_driver.h"
#include "http/connection_options.h"
#include "op/env.h"

#define SPT_SESSION_META "septet.http.session"
#define SPT_TERMS_META   "septet.http.terms"
#define SPT_HEADERS_META "septet.http.headers"
#define SPT_HEAD_META    "septet.http.head"
#define SPT_UPLOAD_META  "septet.http.upload"

#define SPT_URL_SHOWN 1024 /* bytes of a URL in errors and traces */

struct spt_session_box {
    struct spt_session *session; /* owned; NULL once closed */
    struct spt_link link;        /* in env->sessions while open: the host closes what is left */
};

/* What holds for a request: its session's, unless it has its own. */
struct spt_terms {
    uint64_t connect_ns, first_byte_ns, idle_ns, queue_ns; /* limits; 0: none */
    size_t max_body;                                       /* bytes of a body that is gathered */
    size_t max_stream;                                     /* ... of one that is streamed */
    struct spt_profile profile;
};

struct spt_headers_box {
    struct spt_headers *headers; /* owned */
};

struct spt_upload_box {
    struct spt_upload upload;
    struct spt_request *request;  /* borrows: that sends it; NULL before and after */
    struct spt_upload_op *writer; /* that waits for room; NULL: none does */
    bool used, over;
};

/* --- calls: a request at work, with what traces and hooks are told of it --- */

struct spt_call {
    struct spt_link link; /* in env->calls while it rests */
    struct spt_note note; /* the terminal event of a traced request */
    const void *kept;     /* an object that is let go of when the end was told; NULL: none */
    uint64_t t_start_ns, t_end_ns;
    uint64_t place; /* line of the script, at trace level 2 */
    uint32_t task, ref;
    bool cancelled;
    struct spt_turn turn; /* of who waits for the whole of it */
    struct spt_env *env;
    const void *trace; /* its trace is found by this; NULL: it has none */
    void *owner;       /* the operation or the stream; NULL: it has let go */
    struct spt_request request;
};

/* What a script's call asks for; kept by the values on its stack. */
struct spt_ask {
    struct spt_session_box *box;
    const struct spt_terms *terms;
    const char *method, *url;
    const struct spt_headers *headers;
    const char *body;
    size_t body_len; /* bytes */
    struct spt_upload_box *upload;
    uint64_t deadline_ns; /* 0: none */
};

enum { SPT_ASK_TRACE = 8, SPT_ASK_ARGS = 8 };

/* Reads (session, terms, headers, method, url, body, timeout) from the stack; the last two may be nil, or not there:
 * the fewer values a waiting task holds, the smaller its stack stays. Raises Usage. */
void spt_ask_check(lua_State *L, struct spt_env *env, struct spt_ask *ask);

/* Takes a call for what was asked. NULL out of memory. Its owner fills in what it wants to be told of. */
struct spt_call *spt_call_new(struct spt_env *env, const struct spt_ask *ask, void *owner);

/* Starts the request. Returns as spt_request_start does. */
int spt_call_start(struct spt_call *call, const struct spt_session_box *box, uint32_t task);

/* The request is over: traces and hooks are told. */
void spt_call_ended(struct spt_call *call);

/* Its trace is told the end, which has come. */
void spt_call_tell(struct spt_call *call);

/* The owner lets go of it. Harmless for NULL. */
void spt_call_put(struct spt_call *call);

/* The trace at `index` is found by `key` from now on, as long as something keeps it. */
void spt_call_set_trace(lua_State *L, int index, const void *key);

/* Raises the request's failure, or what `status` says; `call` is NULL where it was let go of. */
int spt_call_raise(lua_State *L, const struct spt_call *call, int status);

/* Raises that there was no memory for a call. */
int spt_call_raise_memory(lua_State *L, const struct spt_ask *ask);

/* Pushes what a response keeps of its head. */
void spt_call_push_head(lua_State *L, const struct spt_request *r);

/* Is it one over TLS whose certificate is not checked? */
bool spt_call_insecure(const struct spt_request *r);

/* Returns the text with what spt_escape escapes: itself where there is none, else written to `out` and cut. */
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
