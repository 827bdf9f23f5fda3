/* SPDX-License-Identifier: MIT */
/* A C function that waits: wait_frames(n) returns n frames later. The engine's frame loop completes
 * the wait, and a script may cancel it. */
#include <septet/op.h>
#include <septet/septet.h>

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>

#define FRAMES_AT_MOST 1000

static const char script[] =
    "local task = require 'septet.task'\n"
    "assert(wait_frames(3) == 3)\n"
    "assert(wait_frames(2) == 5)\n"
    "assert(wait_frames(0) == 5)\n"
    "local t = task.spawn(wait_frames, 100)\n"
    "wait_frames(1)\n"
    "t:cancel('the player left')\n"
    "local ok, err = pcall(t.await, t)\n"
    "assert(not ok and task.is(err, 'TaskCancelled') and err.reason == 'the player left')\n"
    "print(err)\n";

/* The engine: a frame counter, and the tasks that wait for frames. */
struct engine {
    int frame;
    int cancelled;
    int errors;
    struct frames_op *first;
};

/* One wait. The await owns its memory, which does not move, so that the engine may keep a pointer
 * to it until it is done or cancelled. */
struct frames_op {
    septet_op op;
    struct engine *engine;
    struct frames_op *next;
    int due; /* frame at which the wait ends */
};

static void engine_forget(struct engine *engine, const struct frames_op *wait)
{
    struct frames_op **at = &engine->first;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
}

static void engine_next_frame(struct engine *engine)
{
    engine->frame++;
    for (struct frames_op *wait = engine->first, *next; wait; wait = next) {
        next = wait->next;
        if (wait->due > engine->frame)
            continue;
        engine_forget(engine, wait);
        septet_op_done(&wait->op, SEPTET_OK);
    }
}

/* start and cancel get no lua_State: they use the engine alone. */
static int frames_start(septet_op *op)
{
    struct frames_op *wait = (struct frames_op *)op;
    wait->due += wait->engine->frame;
    if (wait->due <= wait->engine->frame) {
        septet_op_done(op, SEPTET_OK); /* no need to wait */
    } else {
        wait->next = wait->engine->first;
        wait->engine->first = wait;
    }
    return SEPTET_OK;
}

static void frames_cancel(septet_op *op)
{
    struct frames_op *wait = (struct frames_op *)op;
    engine_forget(wait->engine, wait);
    wait->engine->cancelled++;
}

static int frames_push(septet_op *op, lua_State *L)
{
    lua_pushinteger(L, ((struct frames_op *)op)->engine->frame);
    return 1;
}

static void frames_describe(const septet_op *op, char *text, size_t size)
{
    snprintf(text, size, "until %d", ((const struct frames_op *)op)->due);
}

/* External, because the engine's loop completes it: a host that waits for it is not deadlocked. */
static const septet_op_type frames_type = {
    .name = "frames",
    .size = sizeof(struct frames_op),
    .flags = SEPTET_OP_EXTERNAL,
    .abi = SEPTET_OP_ABI,
    .start = frames_start,
    .cancel = frames_cancel,
    .push = frames_push,
    .describe = frames_describe,
};

/* wait_frames(n): waits for n frames, and returns the number of the current one. */
static int l_wait_frames(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= FRAMES_AT_MOST, 1, "a number of frames expected");
    struct frames_op *wait = (struct frames_op *)septet_op_new(L, &frames_type);
    wait->engine = septet_userdata(septet_host_of(L));
    wait->due = (int)n;
    return septet_op_await(L, &wait->op);
}

static void on_error(void *ud, const septet_error *error)
{
    ((struct engine *)ud)->errors++;
    fprintf(stderr, "%s\n%s\n", error->message, error->traceback);
}

int main(void)
{
    struct engine engine = {0};
    septet_config config;
    septet_config_init(&config);
    config.on_error = on_error;
    config.ud = &engine;
    septet_host *host = septet_new(&config, NULL);
    if (!host)
        return 1;
    lua_register(septet_lua(host), "wait_frames", l_wait_frames);
    bool loaded = septet_load_string(host, "=script", script) == SEPTET_OK;
    while (loaded && septet_step(host, 1000000) > 0 && engine.frame < FRAMES_AT_MOST)
        engine_next_frame(&engine);
    septet_free(host);
    return loaded && engine.errors == 0 && engine.frame == 6 && engine.cancelled == 1 &&
                   !engine.first
               ? 0
               : 1;
}
