/* SPDX-License-Identifier: MIT */
/* septet/septet.h: the embedder's manual.
 *
 * A host runs Lua scripts as tasks on one thread. Each task is a coroutine that may wait for
 * timers, HTTP requests and operations of the embedder's (septet/op.h) while other tasks run.
 *
 *     septet_config config;
 *     septet_config_init(&config);
 *     config.on_error = print_error;                     // receives every error no script caught
 *     septet_host *host = septet_new(&config, NULL);
 *     septet_load_string(host, "@boot.lua", source);     // a main task, not started yet
 *     septet_run(host);                                  // until all main tasks have ended
 *     septet_free(host);
 *
 * A program with a loop of its own calls septet_step once per frame instead of septet_run. A
 * program on libuv passes its uv_loop_t in the config and runs that loop.
 *
 * There are no globals: any number of hosts live in one process. Each is used only from the thread
 * that made it. The library never exits, aborts, prints or installs a signal handler. */
#ifndef SEPTET_H
#define SEPTET_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SEPTET_API __attribute__((visibility("default")))
#else
#define SEPTET_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SEPTET_VERSION_MAJOR 0
#define SEPTET_VERSION_MINOR 1
#define SEPTET_VERSION_PATCH 0
#define SEPTET_VERSION       "0.1.0"

/* The statuses that functions return. */
#define SEPTET_STATUS_MAP(XX)                                                                      \
    XX(OK, 0, "ok")                                                                                \
    XX(ENOMEM, -1, "out of memory")                                                                \
    XX(EINVAL, -2, "invalid argument")                                                             \
    XX(ESCRIPT, -3, "a script failed")                                                             \
    XX(ELOAD, -4, "cannot load the script")                                                        \
    XX(EDEADLOCK, -5, "every task waits and nothing can wake them")                                \
    XX(EINTERRUPTED, -6, "interrupted")                                                            \
    XX(EBUSY, -7, "called from inside the host")                                                   \
    XX(ECLOSED, -8, "closed")                                                                      \
    XX(ELOOP, -9, "the event loop failed")                                                         \
    XX(ETIMEOUT, -10, "timed out")                                                                 \
    XX(ETOOBIG, -11, "too big")                                                                    \
    XX(EHTTP, -12, "the request failed")

typedef enum septet_status {
#define XX(name, value, text) SEPTET_##name = (value),
    SEPTET_STATUS_MAP(XX)
#undef XX
} septet_status;

/* Returns the text of a status. Never NULL; the text is static. */
SEPTET_API const char *septet_strerror(int status);

/* Returns the version of the library at run time, like SEPTET_VERSION at compile time. */
SEPTET_API const char *septet_version(void);

typedef struct septet_host septet_host;

/* An error that no script caught. The strings are valid until the callback returns. */
typedef struct septet_error {
    /* "HttpError", "Usage", ...; "error" for a value that is no error object */
    const char *kind;
    const char *message;   /* the message, as tostring returns it */
    const char *traceback; /* where the error was raised, and where it was awaited; may be "" */
    const char *task;      /* name of the task, its control characters escaped */
    uint32_t task_id;
    int is_main; /* not 0 for a main task (septet_load_...), 0 for a task that a script spawned */
} septet_error;

/* A virtual clock starts at one second and stands still while tasks run. If no task can run and no
 * I/O is in flight, it jumps to the next deadline. While I/O is in flight, it advances in real
 * time. A manual clock is virtual, but waits for septet_advance instead of jumping. */
enum { SEPTET_CLOCK_REAL, SEPTET_CLOCK_VIRTUAL, SEPTET_CLOCK_MANUAL };

/* The embedder's settings. Always start with septet_config_init. */
typedef struct septet_config {
    size_t size; /* size of this struct, set by septet_config_init; lets it grow */
    void *ud;    /* passed to the callbacks below */

    /* The Lua state to use. The embedder's own state stays the embedder's, with at most one host;
     * NULL makes one with the standard libraries, which septet_free closes. Close your own state
     * only after septet_free, because the host needs it to unwind its tasks. */
    lua_State *lua;

    /* Allocator for the state that septet_new makes, as lua_newstate takes it, with its own ud.
     * NULL: malloc. */
    lua_Alloc alloc;
    void *alloc_ud;

    /* The libuv loop (a uv_loop_t) to use, owned and run by the embedder. NULL: the host makes its
     * own. */
    void *loop;

    /* Called with each error that no script caught. NULL: errors are only counted (see
     * septet_run). */
    void (*on_error)(void *ud, const septet_error *error);

    /* Called with warnings: bugs in scripts that raise no error, and calls of Lua's `warn`. NULL:
     * none. */
    void (*on_warning)(void *ud, const char *message);

    /* Number of 32-byte records that the trace ring keeps, rounded up to a power of two.
     * Default 65536; 0 turns recording off. */
    uint32_t trace_records;

    /* Milliseconds that a task may run without waiting. A longer turn is reported through
     * on_warning when it ends. Default 100; 0: never. */
    uint32_t slow_ms;

    /* Milliseconds after which such a task is ended by an error, TaskHog. The error is raised again
     * at each instruction until the task has unwound. It cannot interrupt a call of a C function.
     * Default 0: no limit. */
    uint32_t max_slice_ms;

    /* One of SEPTET_CLOCK_...: the clock that scripts see. */
    int clock;

    /* Not 0: tasks that are ready together run in an order drawn from this seed, not in FIFO order.
     * For tests, to find code that depends on the order. */
    uint64_t shuffle_seed;

    /* For work on Septet itself. A folder that contains septet/, from which its Lua modules are
     * read instead of the built-in ones. NULL: the built-in ones. Copied. */
    const char *lua_path;

    /* For tests of Septet itself. Quirks of libcurl's versions to add or remove, as
     * "-poke,+timeout". NULL: those that the version has. Copied. */
    const char *quirks;

    /* Not 0: tracebacks also show the functions of Septet's own modules. */
    int own_frames;

    /* Called on the host's thread once an interrupt (septet_interrupt) has reached a task. Until
     * then a task may be in a C function that does not return, which no interrupt can reach. A
     * program may want to end itself after a while. The callback may not use Lua. NULL: none. */
    void (*on_interrupted)(void *ud);
} septet_config;

/* Sets every member to its default. */
SEPTET_API void septet_config_init(septet_config *config);

/* Makes a host. On failure it returns NULL and, if `status` is not NULL, sets it to SEPTET_ENOMEM,
 * SEPTET_ELOOP or SEPTET_EINVAL. The last means that the config is not valid or the state already
 * has a host. The config is copied. */
SEPTET_API septet_host *septet_new(const septet_config *config, int *status);

/* Frees the host. Cancels and unwinds all tasks, which may clean up but not start new waits. Closes
 * every connection, and the Lua state and loop if septet_new made them. On the embedder's loop, the
 * remaining handles close in the loop's next turns, so close the loop and the state after this
 * call. Objects that scripts still hold in the embedder's state are safe to use: they raise Usage
 * or do nothing. NULL is a no-op. Returns SEPTET_EBUSY from inside the host: in a task, in one of
 * the callbacks above, or while septet_run runs. */
SEPTET_API int septet_free(septet_host *host);

/* Returns the host's Lua state. Code run on it directly is outside any task and cannot wait. */
SEPTET_API lua_State *septet_lua(septet_host *host);

/* Returns the host's uv_loop_t, for the embedder's own handles. */
SEPTET_API void *septet_loop(septet_host *host);

/* Returns the config's ud. */
SEPTET_API void *septet_userdata(septet_host *host);

/* Makes a main task. It runs when the host is next run or stepped. When the last main task has
 * ended, the remaining background tasks are cancelled. If the script does not compile or the file
 * cannot be read, returns SEPTET_ELOAD and passes the error to on_error.
 *
 * septet_spawn pops the function and its `nargs` arguments, pushed in this order, from
 * septet_lua(host). It returns SEPTET_EINVAL if the function cannot be called, or if fewer values
 * are on the stack; in the latter case it pops none. `name` names the task; NULL names it after the
 * place of its definition. */
SEPTET_API int septet_load_string(septet_host *host, const char *chunkname, const char *source);
SEPTET_API int septet_load_file(septet_host *host, const char *path);
SEPTET_API int septet_spawn(septet_host *host, const char *name, int nargs);

/* Runs until every main task has ended and their tasks have unwound. Returns one of:
 *
 * - SEPTET_OK.
 * - SEPTET_ESCRIPT: an error was raised that no script caught.
 * - SEPTET_EDEADLOCK: every task waits and nothing can wake them. Each is reported through
 *   on_warning, then all are cancelled.
 * - SEPTET_EINTERRUPTED: septet_interrupt ended a main task.
 * - SEPTET_EBUSY: called from inside the host, like septet_free. */
SEPTET_API int septet_run(septet_host *host);

/* Runs ready tasks for about `budget_us` microseconds (0: one pass), without waiting. Returns 1
 * while tasks are alive, 0 if none is, or SEPTET_EBUSY from inside, like septet_free. Failures go
 * to on_error. A deadlock is not reported, because the embedder may wake a task. */
SEPTET_API int septet_step(septet_host *host, uint64_t budget_us);

/* Advances a virtual or manual clock by `ns` nanoseconds. Timers that become due fire when the host
 * is next run or stepped. Returns SEPTET_EINVAL on the real clock, or if the instant exceeds 64
 * bits; SEPTET_EBUSY from inside. */
SEPTET_API int septet_advance(septet_host *host, uint64_t ns);

/* Cancels and unwinds the main tasks. A script that spins is interrupted at its next instruction.
 * Safe in a signal handler. */
SEPTET_API void septet_interrupt(septet_host *host);

/* Ends the run for a script: for a C function that acts like os.exit, as `return septet_exit(L)`.
 * It cancels the main tasks and the calling one, even within its shields, and raises Cancelled
 * there. While they unwind, a task that swallows its cancellation a hundred times is abandoned: its
 * variables are closed and it is never resumed. A task that calls this again is abandoned at once.
 * Returns only on failure: SEPTET_EBUSY if C code that cannot be suspended is between, or
 * SEPTET_ECLOSED in a state without a host. */
SEPTET_API int septet_exit(lua_State *L);

/* Returns the number of live tasks: ready, running or waiting. */
SEPTET_API size_t septet_tasks(const septet_host *host);

#ifdef __cplusplus
}
#endif

#endif
