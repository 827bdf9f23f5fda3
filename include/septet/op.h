/* septet/op.h: the page for the author of an awaitable.
 *
 * Whatever a Septet task can wait for is an operation: a struct of yours that begins with a
 * `septet_op`, and a table of functions that says how it starts, stops and gives its results. A
 * sleep, an HTTP request and a function of your own engine are written in the same way:
 *
 *     struct wait_door { septet_op op; struct door *door; };
 *
 *     static int wait_door_start(septet_op *op);   // the door is to call septet_op_done(op, 0)
 *     static void wait_door_cancel(septet_op *op); // the door is to forget op
 *     static int wait_door_push(septet_op *op, lua_State *L);    // what the script's call returns
 *
 *     static const septet_op_type wait_door_type = {
 *         .name = "door", .size = sizeof(struct wait_door), .flags = SEPTET_OP_EXTERNAL,
 *         .start = wait_door_start, .cancel = wait_door_cancel, .push = wait_door_push };
 *
 *     static int l_wait_door(lua_State *L)            // what the script calls
 *     {
 *         struct door *door = check_door(L, 1);   // arguments are checked before anything is armed
 *         septet_op *op = septet_op_new(L, &wait_door_type);
 *         ((struct wait_door *)op)->door = door;
 *         return septet_op_await(L, op);              // the last thing the function does
 *     }
 *
 * The life of an operation, and who may do what in it:
 *
 *     septet_op_new ─ await ─▶ start ──▶ (waiting) ── septet_op_done ──▶ push ──▶ close
 *                        │       │            └─────── cancel ─────────────────▶ close
 *                        │       └─ done inside start: push and close at once, no wait
 *                        └─ the task is cancelled already: start never runs, nor does close
 *
 * - `start`, `cancel` and `close` get no lua_State and must not touch Lua; nor may the code that
 *   later calls septet_op_done. Only `push` speaks Lua, in the waiting coroutine.
 * - After `cancel` returns, nothing may call septet_op_done on that operation: the memory is gone.
 *   A source that cannot stop at once keeps what it writes in a block of its own and drops its
 *   pointer to the operation.
 * - `close` runs exactly once after any `start`, on every path. `push` runs only on completion.
 * - The memory of an operation belongs to the await; it is zeroed when new and does not move. */
#ifndef SEPTET_OP_H
#define SEPTET_OP_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#include "septet/septet.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct septet_op septet_op;
typedef struct septet_op_type septet_op_type;

/* Flags of a type. */
enum {
    /* The completion comes from outside the host (I/O, another thread, the embedder). While such an
     * operation waits the host is waiting, not deadlocked, and a virtual clock does not jump. */
    SEPTET_OP_EXTERNAL = 1u << 0,
};

struct septet_op_type {
    const char *name; /* one word, shown by traces, dumps and deadlock reports: "sleep" */
    size_t size;      /* of your struct, in bytes */
    unsigned flags;

    /* Arms the operation. Returns SEPTET_OK, or a negative status when nothing was armed; that
     * status is then the operation's. May call septet_op_done: the await then returns without
     * suspending. */
    int (*start)(septet_op *op);

    /* Disarms an operation that was started and is not done. When it returns, the source has
     * forgotten the operation. May not fail. */
    void (*cancel)(septet_op *op);

    /* Pushes the results on `L` and returns their number, or raises. The stack of the function that
     * called septet_op_await is below, its arguments at 1, 2, ...; unless the type has a `close`:
     * `push` then runs protected on an empty stack, so that an error in it, out of memory
     * included, closes the operation before it goes on. */
    int (*push)(septet_op *op, lua_State *L);

    /* Gives back what `start` took. NULL: nothing to give back. */
    void (*close)(septet_op *op);

    /* Writes what is being waited for ("GET http://...") as a text, which ends at a NUL or with the
     * room of `size` bytes, zeroed; called only while the operation waits. NULL: the name says it
     * all. */
    void (*describe)(const septet_op *op, char *text, size_t size);

    /* Calls `visit(ud, task)` for each task that the wait depends on, as far as that is known: the
     * one joined, the owner of a lock. A task is what an operation's `task` is. For tracebacks and
     * reports of deadlocks. NULL: not known. */
    void (*blockers)(const septet_op *op, void (*visit)(void *ud, void *task), void *ud);
};

/* The head of every operation. Read `status` and `task`; leave the rest alone. */
struct septet_op {
    const septet_op_type *type;
    void *task;    /* the waiting task, to be compared and given to `visit` */
    int status;    /* what septet_op_done said: 0 or more is success, negative a SEPTET_E code */
    uint8_t state; /* private */
    uint32_t ref; /* free for the type: what traces call the thing waited for (a task, a request) */
};

/* Makes a new operation of `type`, zeroed, for the calling C function's await. It may push one
 * value on the stack of `L`, which must stay there. Raises out of memory, and Usage
 * where the running code cannot be suspended, and for a type without a name, `start`, `cancel` or
 * `push`, or with a size below that of septet_op. */
SEPTET_API septet_op *septet_op_new(lua_State *L, const septet_op_type *type);

/* Starts `op` and suspends the running task until it is done; use it as `return septet_op_await(L,
 * op)`. The script's call returns what `push` pushes, or raises Cancelled, or raises Usage when
 * nothing can wait here (outside a task, or below a C function that cannot be suspended). */
SEPTET_API int septet_op_await(lua_State *L, septet_op *op);

/* Says that `op` is done: the task becomes ready and `push` will see `status`. At most once, on the
 * host's thread, from anywhere but `cancel`, `push` and `close`. */
SEPTET_API void septet_op_done(septet_op *op, int status);

/* The host that `L` belongs to, or NULL. */
SEPTET_API septet_host *septet_host_of(lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
