/* SPDX-License-Identifier: MIT */
/* septet/op.h: how to write an awaitable.
 *
 * A Septet task waits for operations. An operation is a struct of the embedder's that begins with a
 * `septet_op`, and a table of functions that start it, stop it and push its results. A sleep, an
 * HTTP request and a function of the embedder's engine are written in the same way:
 *
 *     struct wait_door { septet_op op; struct door *door; };
 *
 *     static int wait_door_start(septet_op *op);   // the door will call septet_op_done(op, 0)
 *     static void wait_door_cancel(septet_op *op); // the door drops its pointer to op
 *     static int wait_door_push(septet_op *op, lua_State *L);    // what the script's call returns
 *
 *     static const septet_op_type wait_door_type = {
 *         .name = "door", .size = sizeof(struct wait_door), .flags = SEPTET_OP_EXTERNAL,
 *         .abi = SEPTET_OP_ABI, .start = wait_door_start, .cancel = wait_door_cancel,
 *         .push = wait_door_push };
 *
 *     static int l_wait_door(lua_State *L)            // what the script calls
 *     {
 *         struct door *door = check_door(L, 1);   // check arguments before anything is armed
 *         septet_op *op = septet_op_new(L, &wait_door_type);
 *         ((struct wait_door *)op)->door = door;
 *         return septet_op_await(L, op);              // the last thing the function does
 *     }
 *
 * The life of an operation:
 *
 *     septet_op_new ─ await ─▶ start ──▶ (waiting) ── septet_op_done ──▶ push ──▶ close
 *                        │       │            └─────── cancel ─────────────────▶ close
 *                        │       └─ done inside start: push and close at once, no wait
 *                        └─ the task is cancelled already: start never runs, nor does close
 *
 * - `start`, `cancel` and `close` get no lua_State and must not touch Lua; nor may the code that
 *   later calls septet_op_done. Only `push` uses Lua, in the waiting coroutine.
 * - After `cancel` returns, nothing may call septet_op_done on the operation: its memory is reused.
 *   A source that cannot stop at once writes to memory of its own and drops its pointer to the
 *   operation.
 * - If the embedder closes the Lua state before the host, waits end by `cancel` and `close`. By
 *   then Lua may have called the finalizers of objects that are younger than the host.
 * - `close` runs exactly once after any `start`, on every path. `push` runs only on completion.
 * - Whatever `close` releases is acquired in `start`, because a refused await calls neither.
 * - The await owns the memory of the operation. It is zeroed when new and does not move. */
#ifndef SEPTET_OP_H
#define SEPTET_OP_H

#include "septet/septet.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct septet_op septet_op;
typedef struct septet_op_type septet_op_type;

/* Flags of an operation type. */
enum {
    /* The completion comes from outside the host: from I/O or the embedder. While such an operation
     * waits, the host is not deadlocked and a virtual clock does not jump. */
    SEPTET_OP_EXTERNAL = 1u << 0,
};

/* The version of the two structs below. Later ones only append to them, and read what the version
 * of a type has. */
#define SEPTET_OP_ABI 1

struct septet_op_type {
    const char *name; /* one word, shown by traces, dumps and deadlock reports: "sleep" */
    size_t size;      /* size of the embedder's struct, in bytes */
    unsigned flags;
    int abi; /* SEPTET_OP_ABI */

    /* Arms the operation. Returns SEPTET_OK, or a negative status if nothing was armed; the
     * operation then completes with that status. May call septet_op_done: the await then returns
     * without suspending. A positive value, or a negative one after septet_op_done, is a mistake:
     * the operation is cancelled, if it is not done, and closed, and the await raises Usage. */
    int (*start)(septet_op *op);

    /* Disarms an operation that was started and is not done. Once it returns, the source must not
     * hold the operation any more. May not fail. */
    void (*cancel)(septet_op *op);

    /* Pushes the results on `L` and returns their number, or raises. The stack of the function that
     * called septet_op_await lies below, with its arguments at 1, 2, ... If the type has a `close`,
     * `push` instead runs protected, on an empty stack. An error in it, out of memory included,
     * then closes the operation before it propagates. */
    int (*push)(septet_op *op, lua_State *L);

    /* Releases what `start` acquired. NULL: there is nothing to release. */
    void (*close)(septet_op *op);

    /* Writes what the operation waits for ("GET http://...") to `text`. The buffer is zeroed; the
     * text ends at a NUL or at `size` bytes. Called only while the operation waits. NULL: the name
     * suffices. */
    void (*describe)(const septet_op *op, char *text, size_t size);

    /* Calls `visit(ud, task)` for each task that the wait depends on, as far as known: the joined
     * task, the owner of a lock. `task` is the `task` member of an operation. Used by tracebacks
     * and deadlock reports. NULL: not known. */
    void (*blockers)(const septet_op *op, void (*visit)(void *ud, void *task), void *ud);
};

/* The head of every operation. Only `status` and `task` may be read, and only `ref` be set. */
struct septet_op {
    const septet_op_type *type;
    void *task;    /* the waiting task, to be compared and passed to `visit` */
    int status;    /* status from septet_op_done: 0 or more is success, negative a SEPTET_E code */
    uint8_t state; /* private */
    /* free for the type: the number by which traces name the awaited thing (a task, a request) */
    uint32_t ref;
    uint32_t token; /* private */
};

/* Makes a zeroed operation of `type` for an await by the calling C function. It may push one value
 * on the stack of `L`, which must stay there. Raises out of memory. Raises Usage if the running
 * code cannot be suspended. Also raises Usage if the type has no name, `start`, `cancel` or `push`,
 * is smaller than a septet_op, or has an `abi` that the library does not know. */
SEPTET_API septet_op *septet_op_new(lua_State *L, const septet_op_type *type);

/* Starts `op` and suspends the running task until it is done. Use it as `return septet_op_await(L,
 * op)`. The script's call returns what `push` pushes, or raises Cancelled. It raises Usage if
 * nothing can wait here: outside a task, or below a C function that cannot be suspended. */
SEPTET_API int septet_op_await(lua_State *L, septet_op *op);

/* Completes `op`: the task becomes ready and `push` sees `status`. To be called at most once, on
 * the host's thread, and not from `cancel`, `push` or `close`. */
SEPTET_API void septet_op_done(septet_op *op, int status);

/* Returns a token by which any thread completes `op` with septet_complete (septet/septet.h), even
 * if that comes too late: once the operation is done or cancelled, the token names nothing. To be
 * called in `start`, of a type that is external. Returns 0 if memory is too short. The thread keeps
 * its results in memory of its own, because that of the operation is gone after a cancellation. */
SEPTET_API septet_token septet_op_token(septet_op *op);

#ifdef __cplusplus
}
#endif

#endif
