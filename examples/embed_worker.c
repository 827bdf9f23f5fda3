/* SPDX-License-Identifier: MIT */
/* A script that waits for a worker thread of the engine: decode(name) returns what the thread has
 * made of it. A task that is cancelled stops waiting at once; the thread finishes its job later,
 * and nothing refers to the task any more. */
#include <septet/op.h>
#include <septet/septet.h>

#include <lauxlib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char script[] =
    "local task = require 'septet.task'\n"
    "local texts = task.gather(task.map(decode, { 'stone', 'water', 'grass' }))\n"
    "assert(table.concat(texts, ' ') == 'STONE WATER GRASS')\n"
    "local late = task.spawn(decode, 'sky')\n"
    "task.checkpoint()\n"
    "late:cancel('the level was left')\n"
    "print(table.concat(texts, ' '))\n";

/* A job. The task and the thread each hold it, and the last of them frees it. */
struct job {
    struct job *next;
    septet_token token;
    atomic_int holders;
    char text[32];
};

struct engine {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first;
    bool ends;
    septet_mailbox *mailbox;
    int errors;
};

static void job_release(struct job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) == 1)
        free(job);
}

/* --- the engine's thread --- */

/* Returns the next job, or NULL at the end. */
static struct job *take(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    while (!engine->first && !engine->ends)
        pthread_cond_wait(&engine->changed, &engine->lock);
    struct job *job = engine->first;
    if (job)
        engine->first = job->next;
    pthread_mutex_unlock(&engine->lock);
    return job;
}

static void *work(void *ud)
{
    struct engine *engine = ud;
    for (struct job *job; (job = take(engine)); job_release(job)) {
        for (char *at = job->text; *at; at++)
            *at = (char)(*at - 'a' + 'A');
        /* SEPTET_EGONE if the task does not wait any more */
        septet_complete(engine->mailbox, job->token, SEPTET_OK);
    }
    return NULL;
}

/* --- the wait of a task --- */

struct decode_op {
    septet_op op;
    struct engine *engine;
    struct job *job; /* from start to close; NULL without memory */
    char name[32];
};

static int decode_start(septet_op *op)
{
    struct decode_op *wait = (struct decode_op *)op;
    struct engine *engine = wait->engine;
    struct job *job = wait->job = calloc(1, sizeof *job);
    septet_token token = septet_op_token(op);
    if (!job || !token)
        return SEPTET_ENOMEM;
    job->token = token;
    memcpy(job->text, wait->name, sizeof job->text);
    atomic_init(&job->holders, 2);
    pthread_mutex_lock(&engine->lock);
    job->next = engine->first;
    engine->first = job;
    pthread_cond_signal(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    return SEPTET_OK;
}

/* The token is void from here on, so there is nothing to take back from the thread. */
static void decode_cancel(septet_op *op)
{
}

static int decode_push(septet_op *op, lua_State *L)
{
    const struct decode_op *wait = (struct decode_op *)op;
    if (op->status != SEPTET_OK)
        return septet_raise(L, "DecodeError", "cannot decode: %s", septet_strerror(op->status));
    lua_pushstring(L, wait->job->text);
    return 1;
}

static void decode_close(septet_op *op)
{
    struct job *job = ((struct decode_op *)op)->job;
    if (job)
        job_release(job);
}

static const septet_op_type decode_type = {
    .name = "decode",
    .size = sizeof(struct decode_op),
    .flags = SEPTET_OP_EXTERNAL,
    .abi = SEPTET_OP_ABI,
    .start = decode_start,
    .cancel = decode_cancel,
    .push = decode_push,
    .close = decode_close,
};

/* decode(name): waits until the worker has decoded the asset of that name. */
static int l_decode(lua_State *L)
{
    struct engine *engine = septet_userdata(septet_host_of(L));
    const char *name = luaL_checkstring(L, 1);
    struct decode_op *wait = (struct decode_op *)septet_op_new(L, &decode_type);
    wait->engine = engine;
    snprintf(wait->name, sizeof wait->name, "%s", name);
    return septet_op_await(L, &wait->op);
}

static void on_error(void *ud, const septet_error *error)
{
    ((struct engine *)ud)->errors++;
    fprintf(stderr, "%s\n%s\n", error->message, error->traceback);
}

static void stop(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->ends = true;
    pthread_cond_signal(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    septet_mailbox_release(engine->mailbox);
}

int main(void)
{
    struct engine engine = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error;
    config.ud = &engine;
    septet_host *host = septet_new(&config, NULL);
    engine.mailbox = host ? septet_mailbox_new(host) : NULL;
    if (!engine.mailbox || pthread_create(&engine.thread, NULL, work, &engine) != 0)
        return 1;
    lua_register(septet_lua(host), "decode", l_decode);
    int rc = septet_load_string(host, "=script", script);
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    septet_free(host); /* the thread may still be at a job */
    stop(&engine);
    return rc == SEPTET_OK && engine.errors == 0 ? 0 : 1;
}
