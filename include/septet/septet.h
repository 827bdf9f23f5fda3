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
 * program on libuv passes its uv_loop_t in the config and runs that loop. A program that polls
 * descriptors itself asks septet_next what to poll, and for how long.
 *
 * There are no globals: any number of hosts live in one process. Each is used only from the thread
 * that made it, except for septet_interrupt, septet_inspect and the functions of a mailbox, which
 * any thread and any signal handler may call. The library never exits, aborts, prints or installs a
 * signal handler.
 *
 * A pointer may be NULL only where this says so. */
#ifndef SEPTET_H
#define SEPTET_H

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

/* In C++, Lua's own header declares C functions only if it is included here, or by lua.hpp. */
#include <lua.h>

#define SEPTET_VERSION_MAJOR 0
#define SEPTET_VERSION_MINOR 1
#define SEPTET_VERSION_PATCH 0
#define SEPTET_VERSION       "0.1.0"

/* The version as a number that grows with it: 0xMMmmpp. */
#define SEPTET_VERSION_NUMBER                                                                      \
    ((SEPTET_VERSION_MAJOR << 16) | (SEPTET_VERSION_MINOR << 8) | SEPTET_VERSION_PATCH)

/* Returns the version of the library at run time, like SEPTET_VERSION and SEPTET_VERSION_NUMBER at
 * compile time. */
SEPTET_API const char *septet_version(void);
SEPTET_API uint32_t septet_version_number(void);

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
    XX(EHTTP, -12, "the request failed")                                                           \
    XX(EGONE, -13, "no task waits for it any more")                                                \
    XX(ELIMIT, -14, "a limit is reached")                                                          \
    XX(ECANCELLED, -15, "cancelled")

typedef enum septet_status {
#define XX(name, value, text) SEPTET_##name = (value),
    SEPTET_STATUS_MAP(XX)
#undef XX
} septet_status;

/* Returns the text of a status. Never NULL; the text is static. */
SEPTET_API const char *septet_strerror(int status);

typedef struct septet_host septet_host;
typedef struct septet_script septet_script;
typedef struct septet_mailbox septet_mailbox;

/* --- what the embedder decides --- */

/* An error that no script caught. The strings are valid until the callback returns. */
typedef struct septet_error {
    /* "HttpError", "Usage", ...; "OutOfMemory" if Lua's memory was exhausted; "error" for a value
     * that is no error object */
    const char *kind;
    const char *message;   /* the message, as tostring returns it */
    const char *traceback; /* where the error was raised, and where it was awaited; may be "" */
    const char *task;      /* name of the task, its control characters escaped */
    uint32_t task_id;
    /* not 0 for a main task (septet_load_..., septet_call), 0 for a task that a script spawned */
    int is_main;
    septet_script *script; /* the script of the task; NULL if it belongs to the host */
    /* index of the error's value on the stack of septet_lua(host), valid until the callback
     * returns; 0 if memory is too short to push it */
    int value;
} septet_error;

/* What scripts may use at most, of a host (septet_config) or of one script
 * (septet_script_options). 0 means no limit. A script is subject to both. */
typedef struct septet_limits {
    /* Bytes of Lua memory. A script is charged for what its tasks allocate, until Lua frees it; a
     * block that grows, for the task that lets it grow. An allocation beyond the limit first
     * collects all garbage, then raises Lua's own "not enough memory" in the task. A script that
     * catches that and allocates again, a hundred times in a turn or a thousand in all, is ended:
     * LimitExceeded is raised in the task, and the script's tasks are cancelled. Memory outside of
     * Lua, such as a body that is being received, is not counted.
     *
     * Only in a state that septet_new made. For a script, `script_memory` must be set, too.
     * Otherwise septet_new and septet_script_new return SEPTET_EINVAL. */
    size_t memory;

    /* Instructions of Lua, and milliseconds of real time, that a task may run without waiting.
     * Beyond them, an error of kind TaskHog is raised at each instruction until the task has
     * unwound. It can interrupt neither a call of a C function nor a finalizer. Instructions are
     * counted in steps of 100, and a coroutine's start as 200. Makes tight loops two to three
     * times as slow, and takes the place of a hook that the embedder set with lua_sethook. */
    uint64_t slice_instructions;
    uint32_t slice_ms;

    /* Number of live tasks. To spawn one more raises LimitExceeded; septet_load_... and septet_call
     * return SEPTET_ELIMIT. */
    uint32_t tasks;

    /* Number of HTTP requests in flight, including those that wait for a connection. One more
     * raises LimitExceeded. */
    uint32_t requests;

    /* Bytes of a response's body, decoded, that may be gathered, streamed or saved. A script's
     * `max_body` may lower it. A longer body raises HttpError with code "body_too_large". */
    uint64_t body;

    /* Bytes of bodies that one turn of the loop reads from sockets and decodes, of all scripts
     * together. The rest is read in the next turn; septet_run finishes what it has begun to read of
     * a socket. Ignored in septet_script_options. Default of a host: 1 MiB. */
    uint64_t bytes_per_turn;

    uint64_t reserved[6]; /* 0; otherwise SEPTET_EINVAL */
} septet_limits;

/* A virtual clock starts at one second and stands still while tasks run. If no task can run and no
 * I/O is in flight, it jumps to the next deadline. While I/O is in flight, it advances in real
 * time. A manual clock is virtual, but waits for septet_advance instead of jumping. */
enum { SEPTET_CLOCK_REAL, SEPTET_CLOCK_VIRTUAL, SEPTET_CLOCK_MANUAL };

/* What the standard libraries offer in a state that septet_new makes.
 *
 * - Standard: no `debug` but traceback, no C modules, no os.exit, text chunks only. Files,
 *   processes, connections and environment variables need the permission of `permit`. Scripts
 *   cannot change Septet's modules, nor the globals and libraries of scripts that have their own
 *   (septet_script_new). docs/security.md lists each gate.
 * - Trusted: everything, as in lua5.4. */
enum { SEPTET_PROFILE_STANDARD, SEPTET_PROFILE_TRUSTED };

/* What `permit` is asked about, and the subject that it gets. */
enum {
    /* "host:port" of a URL or a proxy, before its name is looked up, and then "address:port" of
     * each connection that is opened or used again, which is the proxy's if there is one;
     * "unix:/path"; "address:port" of a DNS server that a script names */
    SEPTET_PERMIT_CONNECT,
    SEPTET_PERMIT_READ,  /* the path of a file, as the script wrote it */
    SEPTET_PERMIT_WRITE, /* that of a file to create, change, rename or remove, or of a socket */
    SEPTET_PERMIT_RUN,   /* the command of a process, as the script wrote it */
    SEPTET_PERMIT_ENV,   /* the name of an environment variable */
    /* the path of a recording of the trace, which is also asked about for WRITE; "" for a function
     * that receives its events. They show the tasks and the URLs of all scripts, and headers */
    SEPTET_PERMIT_TRACE,
    SEPTET_PERMIT_LISTEN, /* "address:port" on which a script accepts connections; "unix:/path" */
};

/* The source of a module, filled by `load_module`. */
typedef struct septet_source {
    const char *text; /* a chunk of Lua; need not end with a NUL */
    size_t length;
    const char *chunkname; /* NULL: the name of the module, as "@name" */
    /* called once the text is no longer needed; NULL: none */
    void (*release)(void *ud, struct septet_source *source);
    void *data; /* for `release` */
} septet_source;

/* The embedder's settings. Always start with septet_config_init. Unless a callback says otherwise,
 * it runs on the host's thread, and may use Lua and the functions of this header that do not
 * return SEPTET_EBUSY inside the host. An error of Lua's that it raises becomes a warning. */
typedef struct septet_config {
    size_t size; /* size of this struct, set by septet_config_init; lets it grow */
    void *ud;    /* passed to the callbacks below */

    /* The Lua state to use. The embedder's own state stays the embedder's, with at most one host;
     * NULL makes one with the standard libraries, which septet_free closes. Close your own state
     * after septet_free, because the host needs it to unwind its tasks. A state that is closed
     * before takes its tasks with it: their waits are closed, but they do not unwind. */
    lua_State *lua;

    /* Allocator for the state that septet_new makes, as lua_newstate takes it, with its own ud.
     * NULL: malloc. */
    lua_Alloc alloc;
    void *alloc_ud;

    /* The libuv loop (a uv_loop_t) to use, owned and run by the embedder. NULL: the host makes its
     * own. */
    void *loop;

    /* Called with each error that no script caught. NULL: errors are only counted (see
     * septet_run). May not load, spawn or call; septet_post can have that done later. */
    void (*on_error)(void *ud, const septet_error *error);

    /* Called with warnings: bugs in scripts that raise no error, and calls of Lua's `warn`. NULL:
     * none. May not use Lua. */
    void (*on_warning)(void *ud, const char *message);

    /* Called with what scripts print: a line of `print`, with its newline, or the texts of one call
     * of io.write or io.stdout:write, joined. Only in a state that septet_new makes. NULL: standard
     * output. */
    void (*on_print)(void *ud, const char *text, size_t length);

    /* Called for a module that scripts require. Fills `source` and returns 1 if there is one, or
     * returns 0 to let Lua's own searchers continue. A negative status is an error. The module runs
     * in the host's globals, once for all scripts. NULL: Lua's own searchers only; the standard
     * profile has none for files unless `permit` allows them. */
    int (*load_module)(void *ud, const char *name, septet_source *source);

    /* Returns not 0 to allow what a script wants to do, one of SEPTET_PERMIT_... NULL: the trusted
     * profile allows everything; the standard one allows connections, and nothing else. With the
     * trusted profile, the standard libraries do not ask, only Septet's functions do. A call for
     * a connection may come from within libcurl: it may not use Lua or this header. */
    int (*permit)(void *ud, int what, const char *subject);

    /* One of SEPTET_PROFILE_... Ignored if `lua` is set: the embedder's state has the libraries
     * that the embedder opened. Default: standard. */
    int profile;

    /* The limits of all scripts together. */
    septet_limits limits;

    /* Not 0: scripts may have a limit on their memory. Each block of Lua's memory then has a header
     * of 16 bytes. */
    int script_memory;

    /* Number of 32-byte records that the trace ring keeps, rounded up to a power of two.
     * Default 65536; 0 turns recording off. */
    uint32_t trace_records;

    /* Milliseconds that a task may run without waiting. A longer turn is reported through
     * on_warning when it ends. Default 100; 0: never. */
    uint32_t slow_ms;

    /* One of SEPTET_CLOCK_...: the clock that scripts see. */
    int clock;

    /* Not 0: tasks that are ready together run in an order drawn from this seed, not in FIFO order.
     * For tests, to find code that depends on the order. */
    uint64_t shuffle_seed;

    /* How septet_interrupt reaches a script that computes while the call comes from another thread.
     * `interrupt_signal` names a signal that the embedder handles with a function that calls
     * septet_interrupt(host); the library sends it to the host's thread. `interrupt_count` is a
     * number of instructions between two checks of a flag, which makes tight loops up to twice as
     * slow, and takes the place of a hook of the embedder's. 0 and 0: an interrupt from elsewhere
     * waits until the task waits. */
    int interrupt_signal;
    uint32_t interrupt_count;

    /* Called on the host's thread once an interrupt (septet_interrupt) has reached a task. Until
     * then a task may be in a C function that does not return, which no interrupt can reach. A
     * program may want to end itself after a while. The callback may not use Lua. NULL: none. */
    void (*on_interrupted)(void *ud);

    /* For work on Septet itself. A folder that contains septet/, from which its Lua modules are
     * read instead of the built-in ones. NULL: the built-in ones. Copied. */
    const char *lua_path;

    /* For tests of Septet itself. Quirks of libcurl's versions to add or remove, as
     * "-poke,+timeout". NULL: those that the version has. Copied. */
    const char *quirks;

    /* Not 0: tracebacks also show the functions of Septet's own modules. */
    int own_frames;

    /* Called on the host's thread soon after septet_inspect, between two turns or in the middle of
     * one. May call septet_dump_with and its like. May not use Lua, and of this header only what
     * neither runs nor ends tasks. NULL: none. */
    void (*on_inspect)(void *ud);

    /* Like `interrupt_signal`, for septet_inspect: a signal that the embedder handles with a
     * function that calls septet_inspect(host). Without a handler, it ends the program. 0: an
     * inspection from elsewhere is noticed as `interrupt_count` says, or waits until the task
     * waits. */
    int inspect_signal;

    /* Not 0: scripts may start processes, for which `permit` is also asked. From the first one on,
     * libuv handles SIGCHLD in this program, and reaps the processes that it has started and no
     * others. */
    int processes;
} septet_config;

/* Sets every member to its default. */
SEPTET_API void septet_config_init(septet_config *config);

/* --- the life of a host --- */

/* A call that would run or free a host does nothing and returns
 *
 * - SEPTET_EBUSY from inside the host: in a task, in one of the callbacks above, or while
 *   septet_run runs;
 * - SEPTET_EINVAL in another thread than the one that made the host;
 * - SEPTET_ELOOP in a child process after fork, which may only exec or _exit.
 *
 * The embedder may end parts of a host before it frees it. Once it has closed the Lua state, every
 * call but septet_free returns SEPTET_ECLOSED, and septet_lua NULL. Once it has closed handles of
 * the host, as uv_walk with uv_close does, the host does not run any more: SEPTET_ELOOP. Then the
 * loop, too, may be closed before septet_free. A task or a callback above may not call
 * lua_close. */

/* Makes a host. On failure it returns NULL and, if `status` is not NULL, sets it to SEPTET_ENOMEM,
 * SEPTET_ELOOP or SEPTET_EINVAL. The last means that the config is not valid or the state already
 * has a host. The config is copied. */
SEPTET_API septet_host *septet_new(const septet_config *config, int *status);

/* Frees the host. Cancels and unwinds all tasks, which may clean up but not start new waits. Closes
 * every connection, and the Lua state and loop if septet_new made them.
 *
 * On the embedder's loop, the remaining handles close in the loop's next turns, so close the loop
 * and the state after this call. On the host's own loop, it waits for the embedder's requests, such
 * as a uv_queue_work, and closes the embedder's handles without a callback: their memory must
 * remain until it returns.
 *
 * Objects that scripts still hold in the embedder's state are safe to use: they raise Usage or do
 * nothing. NULL is a no-op. Returns SEPTET_OK, or SEPTET_EBUSY, _EINVAL or _ELOOP as above. Also
 * returns SEPTET_EBUSY in a callback of the host's own loop. */
SEPTET_API int septet_free(septet_host *host);

/* Begins the end of a host with many tasks, so that no single call takes long. Every task is
 * cancelled and unwinds, and what it did not close is collected, in the following calls of
 * septet_step, within their budgets. Once septet_step returns SEPTET_DONE, septet_free has little
 * left to do. Nothing can be loaded from here on: that returns SEPTET_ECLOSED. Returns SEPTET_EBUSY
 * from inside, like septet_free. */
SEPTET_API int septet_close_begin(septet_host *host);

/* Returns the host's Lua state; NULL if the embedder has closed it. Code run on it directly is
 * outside any task and cannot wait. */
SEPTET_API lua_State *septet_lua(septet_host *host);

/* Returns the host that `L` belongs to, or NULL. */
SEPTET_API septet_host *septet_host_of(lua_State *L);

/* Returns the host's uv_loop_t, for the embedder's own handles. Code inside the host may not run
 * it: uv_run returns at once there, and Usage is raised in the task or the callback. */
SEPTET_API void *septet_loop(septet_host *host);

/* Returns the config's ud. */
SEPTET_API void *septet_userdata(septet_host *host);

/* --- main tasks --- */

/* Makes a main task of the host. It runs when the host is next run or stepped. When the last main
 * task has ended, the remaining background tasks are cancelled. If the script does not compile or
 * the file cannot be read, returns SEPTET_ELOAD and passes the error to on_error. Only text is
 * loaded, never bytecode.
 *
 * septet_spawn pops the function and its `nargs` arguments, pushed in this order, from
 * septet_lua(host). It returns SEPTET_EINVAL if the function cannot be called, or if fewer values
 * are on the stack; in the latter case it pops none. `name` names the task; NULL names it after the
 * place of its definition.
 *
 * In on_error, they return SEPTET_EBUSY and do nothing. */
SEPTET_API int septet_load_string(septet_host *host, const char *chunkname, const char *source);
SEPTET_API int septet_load_buffer(septet_host *host, const char *chunkname, const char *source,
                                  size_t length);
SEPTET_API int septet_load_file(septet_host *host, const char *path);
SEPTET_API int septet_spawn(septet_host *host, const char *name, int nargs);

/* How a call ended. Valid until the callback returns. */
typedef struct septet_result {
    int status; /* SEPTET_OK, SEPTET_ESCRIPT or SEPTET_ECANCELLED */
    lua_State *lua;
    int first;                 /* index in `lua` of the first result, or of the error's value */
    int count;                 /* number of results; 1 for an error */
    const septet_error *error; /* NULL if the status is SEPTET_OK */
} septet_result;

/* Calls a Lua function as a main task: like septet_spawn, but `on_result` receives its results or
 * its error, which does not go to on_error. `script` is the script to which the task belongs; NULL:
 * the host. The callback may use everything that `on_error` may, and also load, spawn and call.
 * It is called exactly once, also if the host ends first, unless this function fails. If memory is
 * too short to push the results or the error, it gets an error of kind OutOfMemory, and a count of
 * 0. A callback of NULL is SEPTET_EINVAL. */
SEPTET_API int septet_call(septet_host *host, septet_script *script, const char *name, int nargs,
                           void (*on_result)(void *ud, const septet_result *result), void *ud);

/* --- scripts --- */

/* A script owns all that it started: its main tasks, and their background tasks too. It has an
 * environment of its own, limits of its own, and can be cancelled and unloaded alone. */
typedef struct septet_script_options {
    size_t size;          /* set by septet_script_options_init */
    const char *name;     /* shown in reports; NULL: the chunk's. Copied */
    septet_limits limits; /* of this script, below those of the host */

    /* Not 0: the script shares the host's globals. Otherwise it has globals of its own: in the
     * standard profile with copies of the libraries, in the trusted one with the host's globals
     * behind them. In the standard profile, the embedder's own functions are not among them: set
     * them there (septet_script_push_globals), or give them as a module. */
    int shared_globals;

    /* Not 0: background tasks live until the script is cancelled, and septet_run waits for them.
     * Otherwise they are cancelled when its last main task has ended. */
    int keep_background;

    /* Called each time that the script's last task has ended and no other has been loaded since,
     * with septet_script_status. May do what on_error may, and also load, spawn, call, and unload
     * the script. NULL: none. */
    void (*on_end)(void *ud, septet_script *script, int status);
    void *ud;
} septet_script_options;

SEPTET_API void septet_script_options_init(septet_script_options *options);

/* Makes a script without tasks. NULL options are the defaults. On failure it returns NULL and, if
 * `status` is not NULL, sets it to SEPTET_ENOMEM, SEPTET_EINVAL or SEPTET_ECLOSED. The options are
 * copied. The host owns the script until septet_script_unload or septet_free. */
SEPTET_API septet_script *septet_script_new(septet_host *host, const septet_script_options *options,
                                            int *status);

/* Makes a main task of the script, like septet_load_buffer and septet_load_file. Its results are
 * kept (septet_script_push_results). */
SEPTET_API int septet_script_load(septet_script *script, const char *chunkname, const char *source,
                                  size_t length);
SEPTET_API int septet_script_load_file(septet_script *script, const char *path);

/* Returns the number of the script, which is that of no other script of its host. */
SEPTET_API uint32_t septet_script_id(const septet_script *script);

/* Returns 1 while a task of the script is alive. Otherwise how the chunk that was loaded last has
 * ended: SEPTET_OK (also if none was loaded), SEPTET_ESCRIPT, SEPTET_ECANCELLED. */
SEPTET_API int septet_script_status(const septet_script *script);

/* Returns the number of its live tasks. */
SEPTET_API size_t septet_script_tasks(const septet_script *script);

/* Pushes the results of the chunk that was loaded last, or its error's value, on `L`, a thread of
 * the host's state. Returns their number; 0 while it runs. SEPTET_ENOMEM if the stack cannot
 * grow. */
SEPTET_API int septet_script_push_results(septet_script *script, lua_State *L);

/* Pushes the table of the script's globals on `L`. Returns SEPTET_OK or SEPTET_ENOMEM. */
SEPTET_API int septet_script_push_globals(septet_script *script, lua_State *L);

/* Cancels the script's tasks. `reason` is copied; NULL: none. They unwind when the host is next run
 * or stepped: what is within a shield ends first, and a task that swallows its cancellation goes
 * on. Later loads and calls run. A main task that ends cancelled for this is no failure: it does
 * not go to on_error. Returns SEPTET_OK, or SEPTET_ENOMEM if the tasks are cancelled without the
 * reason. */
SEPTET_API int septet_script_cancel(septet_script *script, const char *reason);

/* Cancels the script's tasks and gives up the handle, which may not be used from here on; on_end is
 * not called any more. A task that swallows its cancellation a hundred times is abandoned (see
 * septet_exit), but what is within a shield ends first, however long it takes; septet_close_begin
 * and septet_free do not wait for that. Its globals are collected once its tasks have ended. NULL
 * is a no-op. */
SEPTET_API void septet_script_unload(septet_script *script);

/* Loads the module `name` again, which scripts have required. New calls of its functions run the
 * new code; tasks that run the old code finish it. If it returned a table before and does now, the
 * old table stays and takes the new fields in place of its own, so that references to it see the
 * new code. The table that the new code returned forwards to it from then on. A function
 * `on_reload` of the new module is called first, with a copy of the old one, and may take over its
 * state.
 *
 * It may be called inside the host, as by a function that a task calls. The module may neither wait
 * nor spawn while it is loaded again. If the load fails, the old module stays, and the error goes
 * to on_error. Returns one of:
 *
 * - SEPTET_OK.
 * - SEPTET_ELOAD: the source is not there, does not compile, or a task is loading the module.
 * - SEPTET_ESCRIPT: the module or its `on_reload` failed.
 * - SEPTET_EINVAL: no module of this name was required, or it is one of Septet's or of Lua's.
 * - SEPTET_EBUSY: in on_error, or while the same module is loaded again.
 * - SEPTET_ENOMEM. */
SEPTET_API int septet_reload(septet_host *host, const char *name);

/* --- running --- */

/* Runs until every main task has ended and their tasks have unwound. Returns one of:
 *
 * - SEPTET_OK.
 * - SEPTET_ESCRIPT: an error was raised that no script caught.
 * - SEPTET_EDEADLOCK: every task waits and nothing can wake them. Each is reported through
 *   on_warning, then all are cancelled.
 * - SEPTET_EINTERRUPTED: septet_interrupt ended a main task.
 * - SEPTET_EBUSY, _EINVAL, _ECLOSED, _ELOOP: it cannot be run (see septet_free). */
SEPTET_API int septet_run(septet_host *host);

/* What septet_step returns if it does not fail. */
enum {
    SEPTET_DONE = 0, /* no task is alive */
    SEPTET_IDLE = 1, /* the tasks that are alive wait */
    SEPTET_MORE = 2, /* the budget ended first: something is left that can be done at once */
};

/* Runs ready tasks for about `budget_us` microseconds (0: at least one task), without waiting. It
 * looks at the clock after each task's turn and each piece of a response, so it exceeds the budget
 * by at most one of them. What is left of the budget goes to the garbage collector.
 *
 * septet_step_until takes the instant at which to stop, in nanoseconds of CLOCK_MONOTONIC
 * (uv_hrtime).
 *
 * Returns one of SEPTET_DONE, _IDLE and _MORE, or a status like septet_run.
 * Failures go to on_error. A deadlock is not reported, because the embedder may wake a task. */
SEPTET_API int septet_step(septet_host *host, uint64_t budget_us);
SEPTET_API int septet_step_until(septet_host *host, uint64_t until_ns);

/* What a program that polls descriptors itself waits for between two steps. */
typedef struct septet_wait {
    int fd;         /* to be polled for input; a descriptor of the host's, never to be read */
    int timeout_ms; /* as poll takes it: 0 if a task can run at once, -1 for no limit */
} septet_wait;

/* Sets `wait` to what the host waits for, until the next call of the host. Call septet_step after
 * the wait. Returns SEPTET_OK, SEPTET_EBUSY from inside, or SEPTET_EINVAL on the embedder's
 * loop. */
SEPTET_API int septet_next(septet_host *host, septet_wait *wait);

/* Advances a virtual or manual clock by `ns` nanoseconds. Timers that become due fire when the host
 * is next run or stepped. Returns SEPTET_EINVAL on the real clock, or if the instant exceeds 64
 * bits; SEPTET_EBUSY from inside. */
SEPTET_API int septet_advance(septet_host *host, uint64_t ns);

/* --- from other threads and signal handlers --- */

/* Cancels and unwinds the main tasks. Safe in any thread and in a signal handler, as long as
 * septet_free has not returned.
 *
 * On the host's thread, such as in a handler, a script that computes is interrupted at its next
 * instruction. From another thread, see `interrupt_signal` and `interrupt_count`. */
SEPTET_API void septet_interrupt(septet_host *host);

/* Has `on_inspect` called as soon as that is safe, to show what goes on: in the host's next turn,
 * or at the next instruction of a script that computes. No script notices. Safe in any thread and
 * in a signal handler, as septet_interrupt is. From another thread, see `inspect_signal`. A C
 * function that does not return delays it (septet_running), as does a finalizer. */
SEPTET_API void septet_inspect(septet_host *host);

/* Returns the host's mailbox, to be released by septet_mailbox_release. NULL: out of memory. A
 * mailbox may outlive its host. */
SEPTET_API septet_mailbox *septet_mailbox_new(septet_host *host);

/* Gives up a mailbox. NULL is a no-op. Not in a signal handler. */
SEPTET_API void septet_mailbox_release(septet_mailbox *mailbox);

/* A message to a host. The sender owns its memory until `run` is called, and sets it before. */
typedef struct septet_message {
    /* Called on the host's thread, between two tasks' turns. May use Lua, load, spawn, call and
     * complete operations. `host` is NULL if the host has ended: the message is only to be
     * released. The memory is the receiver's again from the start of the call. */
    void (*run)(struct septet_message *message, septet_host *host);
    struct septet_message *next; /* private */
} septet_message;

/* Sends a message. Messages of one thread arrive in their order. Safe in any thread and in a signal
 * handler; allocates nothing. Returns SEPTET_OK, or SEPTET_ECLOSED if the host has ended: the
 * message is not run then. A message that was sent may be sent again only once its `run` is
 * called. */
SEPTET_API int septet_post(septet_mailbox *mailbox, septet_message *message);

/* Names a waiting operation to another thread (septet_op_token in septet/op.h). Never 0. */
typedef uint64_t septet_token;

/* Completes the operation of a token from any thread or handler, like septet_op_done on the host's.
 * A token is good for one completion. Allocates nothing. Returns SEPTET_OK, or SEPTET_EGONE if the
 * operation was cancelled or completed before, or the host has ended. After SEPTET_OK, a
 * cancellation may still come before the task has its result. */
SEPTET_API int septet_complete(septet_mailbox *mailbox, septet_token token, int status);

/* --- for functions written in C --- */

/* Raises an error object with `kind`, "error" if it is NULL, and a message formatted as
 * lua_pushfstring does, in which control characters are escaped. Scripts test it with task.is(e,
 * kind). Never returns; use it as `return septet_raise(...)`. */
SEPTET_API int septet_raise(lua_State *L, const char *kind, const char *format, ...);

/* Like septet_raise, but pushes the error object, for fields to be set before lua_error. Raises out
 * of memory. */
SEPTET_API void septet_push_error(lua_State *L, const char *kind, const char *format, ...);

/* Ends the run for a script: for a C function that acts like os.exit, as `return septet_exit(L)`.
 * It cancels the main tasks and the calling one, even within its shields, and raises Cancelled
 * there. While they unwind, a task that swallows its cancellation a hundred times is abandoned: its
 * variables are closed and it is never resumed. A task that calls this again is abandoned at once.
 * Returns only on failure: SEPTET_EBUSY if C code that cannot be suspended is between, or
 * SEPTET_ECLOSED in a state without a host. */
SEPTET_API int septet_exit(lua_State *L);

/* --- what goes on --- */

/* Returns the number of live tasks: ready, running or waiting. */
SEPTET_API size_t septet_tasks(const septet_host *host);

typedef struct septet_stats {
    size_t size;          /* size of this struct, set by the caller; lets it grow */
    uint64_t tasks;       /* live tasks */
    uint64_t mains;       /* main tasks among them */
    uint64_t spawned;     /* tasks so far */
    uint64_t failures;    /* errors that no script caught, so far */
    uint64_t external;    /* tasks that wait for I/O or the embedder */
    uint64_t requests;    /* HTTP requests in flight, including those that wait for a connection */
    uint64_t scripts;     /* scripts (septet_script_new) that are not unloaded */
    uint64_t polls;       /* turns of the loop so far */
    uint64_t turns;       /* turns of tasks so far */
    uint64_t memory;      /* bytes of Lua memory */
    uint64_t memory_peak; /* the most so far; 0 if not known: in the embedder's state */
    /* nanoseconds of the longest step of the garbage collector between two turns, so far */
    uint64_t collector_max_ns;
} septet_stats;

/* Fills `stats` up to its size. Returns SEPTET_OK, or SEPTET_EINVAL if the size is not set. */
SEPTET_API int septet_get_stats(const septet_host *host, septet_stats *stats);

/* Calls `line` with each line of a text about the live tasks:
 *
 *     septet 4242  up 12.4s  tasks 67 (1 run, 2 ready, 64 wait)  in-flight 64  queued 12
 *     #1 main            wait scope       12.3s   of 66 tasks  crawl.lua:16 in main chunk
 *     ├─ #2 page         wait http        0.118s GET https://...  crawl.lua:9 in fetch
 *
 * that is, for each task in the tree its number, its name, its state, what it waits for, for how
 * long, and its stack, innermost function first. Of siblings that wait for the same at the same
 * line, three are shown, and the number of the others. Control characters are escaped.
 *
 * The text ends with a NUL and has no newline. Reads neither the trace nor any clock but the
 * host's, and allocates nothing. `line` may not use Lua, and of this header only what neither runs
 * nor ends tasks. */
SEPTET_API void septet_dump(septet_host *host, void (*line)(void *ud, const char *text), void *ud);

/* What septet_dump_with writes. */
enum {
    SEPTET_DUMP_TREE, /* what septet_dump writes */
    SEPTET_DUMP_ALL,  /* likewise, with a line for each task */

    /* An array in JSON, with a line for each task: {"id", "parent" (0: none), "name", "state"
     * ("new", "ready", "run", "wait"), "wait" (only then): {"kind", "ref", "detail"}, "since_ms"
     * (in this state), "busy_us", "sched_us" (ready, but not run), "resumes", "longest_us" (turn),
     * "longest_at" (if known), "stack": [{"src", "line", "fn" (if known)}, ...]}. */
    SEPTET_DUMP_JSON,

    /* At most one line: which task runs, or else what the first main task waits for. */
    SEPTET_DUMP_WHERE,
};

typedef struct septet_dump_options {
    size_t size;       /* set by septet_dump_options_init; lets it grow */
    int form;          /* one of SEPTET_DUMP_... */
    const char *title; /* words of the first line, such as a script's name; NULL: none */
} septet_dump_options;

SEPTET_API void septet_dump_options_init(septet_dump_options *options);

/* Like septet_dump. Returns SEPTET_OK, or SEPTET_EINVAL for options that are not valid. */
SEPTET_API int septet_dump_with(septet_host *host, const septet_dump_options *options,
                                void (*line)(void *ud, const char *text), void *ud);

/* Returns the number of the task that runs, and sets `ns` to the nanoseconds of its turn so far, on
 * the host's clock; 0 if none runs. Only on the host's thread, also in a signal handler. */
SEPTET_API uint32_t septet_running(const septet_host *host, uint64_t *ns);

#ifdef __cplusplus
}
#endif

#endif
