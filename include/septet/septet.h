/* septet/septet.h: the embedder's manual.
 *
 * A host runs Lua scripts as tasks on one thread: each task is a coroutine that may wait for
 * timers, HTTP requests and operations of yours (septet/op.h) while the others go on.
 *
 *     septet_config config;
 *     septet_config_init(&config);
 *     config.on_error = print_error;                     // every error nobody caught comes here
 *     septet_host *host = septet_new(&config, NULL);
 *     septet_load_string(host, "@boot.lua", source);     // a main task, not started yet
 *     septet_run(host);                                  // until all main tasks have ended
 *     septet_free(host);
 *
 * A program with a loop of its own calls septet_step once per frame instead of septet_run; a
 * program on libuv gives its uv_loop_t in the config and runs that.
 *
 * There are no globals: any number of hosts live in one process, each used from one thread at a
 * time, the thread that made it. The library never exits, aborts, prints or installs a signal
 * handler. */
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

/* What functions return: SEPTET_OK or one of these. */
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

/* The words for a status. Never NULL; the text is static. */
SEPTET_API const char *septet_strerror(int status);

/* The version of the library at run time, as SEPTET_VERSION. */
SEPTET_API const char *septet_version(void);

typedef struct septet_host septet_host;

/* An error that reached nobody in the script. The strings live until the callback returns. */
typedef struct septet_error {
    const char *kind;      /* "HttpError", "Usage", ...; "error" for a value of the script's own */
    const char *message;   /* as tostring gives it */
    const char *traceback; /* where it was raised, and where it was awaited; may be "" */
    const char *task;      /* the task's name, its control characters escaped */
    uint32_t task_id;
    int is_main; /* the error of a main task (septet_load_...), not of one it spawned */
} septet_error;

/* A virtual clock begins at one second, stands while tasks run, and jumps to the next deadline when
 * nothing can run and no I/O is in flight; while some is, it flows. A manual one is virtual, and
 * where it would jump it waits for septet_advance. */
enum { SEPTET_CLOCK_REAL, SEPTET_CLOCK_VIRTUAL, SEPTET_CLOCK_MANUAL };

/* What the embedder decides. Always begin with septet_config_init. */
typedef struct septet_config {
    size_t size; /* of this struct, set by septet_config_init: lets it grow */
    void *ud;    /* given to the callbacks below */

    /* The Lua state to live in: yours, which stays yours (one host a state), or NULL for a new one
     * with the standard libraries, closed by septet_free. Close yours after septet_free, never
     * before: the host still needs it to unwind its tasks. */
    lua_State *lua;

    /* Memory for a state of our own, as lua_newstate takes it, with its own ud. NULL: malloc. */
    lua_Alloc alloc;
    void *alloc_ud;

    /* The libuv loop (a uv_loop_t) to live on: yours, to be run by you, or NULL for one of our own.
     */
    void *loop;

    /* Told each error that no script caught. NULL: they are only counted (septet_run's result). */
    void (*on_error)(void *ud, const septet_error *error);

    /* Told warnings: about bugs in scripts that are not errors, and by Lua's own `warn`. NULL:
     * none. */
    void (*on_warning)(void *ud, const char *message);

    /* Records of 32 bytes that the flight recorder keeps, rounded up to a power of two. Default
     * 65536; 0 turns recording off. */
    uint32_t trace_records;

    /* Milliseconds that a task may run without waiting before on_warning hears of it, at the end of
     * that turn. Default 100; 0: never. */
    uint32_t slow_ms;

    /* Milliseconds after which such a task is ended by an error, TaskHog, raised again at each
     * instruction until it has unwound. What runs in one call of a C function is out of its reach.
     * Default 0: no limit. */
    uint32_t max_slice_ms;

    /* One of SEPTET_CLOCK_...: what time is to scripts. */
    int clock;

    /* Not 0: tasks that are ready together run in an order drawn from this seed instead of first
     * come, first served; for tests, to find what depends on it. */
    uint64_t shuffle_seed;

    /* For work on Septet itself. A folder that holds septet/: its Lua modules are read from there
     * instead of those that are compiled in. NULL: they are not. Copied. */
    const char *lua_path;

    /* For tests of Septet itself. Which quirks of libcurl's versions it assumes beside those that
     * it knows of or in spite of them, as "-poke,+timeout". NULL: as the version has it. Copied. */
    const char *quirks;

    /* Not 0: tracebacks show the functions of Septet's own modules, too. */
    int own_frames;

    /* Called once an interrupt (septet_interrupt) has reached a task, on the thread of the host.
     * Until then a task may be in a C function that does not return, where no interrupt reaches it:
     * a program may want to end itself after a while. It may not use Lua. NULL: nothing is
     * called. */
    void (*on_interrupted)(void *ud);
} septet_config;

/* Fills in the defaults. */
SEPTET_API void septet_config_init(septet_config *config);

/* Makes a host, or returns NULL and, where `status` is not NULL, says why in it: SEPTET_ENOMEM,
 * SEPTET_ELOOP, or SEPTET_EINVAL for a config that is not valid and for a state that has a
 * host. The config is copied. */
SEPTET_API septet_host *septet_new(const septet_config *config, int *status);

/* Ends the host: cancels and unwinds what still runs (tasks may clean up, but wait for nothing
 * new), closes every connection, and a Lua state and loop of our own. On a loop of yours, what is
 * left closes in the loop's next turns; close both after this. What scripts still hold of it in a
 * state of yours is safe to use: it raises Usage, or does nothing. NULL is allowed. SEPTET_EBUSY
 * from inside: in a task, in one of the callbacks above, or while septet_run runs. */
SEPTET_API int septet_free(septet_host *host);

/* The host's Lua state. What runs on it directly is outside any task and cannot wait. */
SEPTET_API lua_State *septet_lua(septet_host *host);

/* The host's uv_loop_t, for handles of your own beside ours. */
SEPTET_API void *septet_loop(septet_host *host);

/* The config's ud. */
SEPTET_API void *septet_userdata(septet_host *host);

/* Makes a main task: it runs when the host is next run or stepped. When the last main task has
 * ended, what is left in the background is cancelled. A script that does not compile, or a file
 * that cannot be read, returns SEPTET_ELOAD, and the error goes to on_error.
 *
 * septet_spawn takes the function and its `nargs` arguments, pushed in this order, from the top of
 * septet_lua(host), and returns SEPTET_EINVAL for what cannot be called, and where fewer values are
 * there, of which it takes none then. `name` names the task; NULL: where it is defined. */
SEPTET_API int septet_load_string(septet_host *host, const char *chunkname, const char *source);
SEPTET_API int septet_load_file(septet_host *host, const char *path);
SEPTET_API int septet_spawn(septet_host *host, const char *name, int nargs);

/* Runs until every main task has ended and what they started is unwound. Returns SEPTET_OK;
 * SEPTET_ESCRIPT when an error reached nobody; SEPTET_EDEADLOCK when every task waits and nothing
 * can wake them (each is reported through on_warning, then all are cancelled); SEPTET_EINTERRUPTED
 * when septet_interrupt ended a main task; SEPTET_EBUSY from inside, as septet_free. */
SEPTET_API int septet_run(septet_host *host);

/* Runs what can run now for about `budget_us` microseconds (0: one round) without waiting. Returns
 * 1 while tasks are alive, 0 when none is, or SEPTET_EBUSY from inside, as septet_free. It reports
 * neither failures, which go to on_error, nor a deadlock: what wakes a task may be the embedder. */
SEPTET_API int septet_step(septet_host *host, uint64_t budget_us);

/* Moves a virtual or manual clock by `ns` nanoseconds; what falls due runs when the host is next
 * run or stepped. SEPTET_EINVAL on the real clock, and where the instant is more than 64 bits can
 * count; SEPTET_EBUSY from inside. */
SEPTET_API int septet_advance(septet_host *host, uint64_t ns);

/* Asks for the end: the main tasks are cancelled and unwind; a script that spins is interrupted at
 * its next instruction. Safe in a signal handler. */
SEPTET_API void septet_interrupt(septet_host *host);

/* Asks for the end on behalf of a script: for a C function of yours that does as os.exit, to be
 * called as `return septet_exit(L)`. It cancels the main tasks and the calling one, within its
 * shields as well, and raises Cancelled there. While they unwind, a task that absorbs its
 * cancellation a hundred times is abandoned: its variables are closed, and it never runs on. A task
 * that calls this again is abandoned at once. It returns only where that cannot be, SEPTET_EBUSY,
 * because C code that cannot be suspended is between, or SEPTET_ECLOSED in a state without a
 * host. */
SEPTET_API int septet_exit(lua_State *L);

/* Tasks alive: ready, running or waiting. */
SEPTET_API size_t septet_tasks(const septet_host *host);

#ifdef __cplusplus
}
#endif

#endif
