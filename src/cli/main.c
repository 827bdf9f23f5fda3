/* SPDX-License-Identifier: MIT */
/* The septet command: lua5.4's command line over a host, so that each chunk is a task and may
 * await. It uses only the public headers. Errors, warnings and usage are all printed here; the
 * library prints nothing. */
#include <septet/septet.h>

#include <lauxlib.h>
#include <lualib.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect.h"
#include "load.h"
#include "memory.h"
#include "modules.h"
#include "option_table.h"
#include "options.h"
#include "ps.h"
#include "repl.h"
#include "signals.h"
#include "terminal.h"
#include "trace.h"
#include "warnings.h"
#include "watched.h"
#include "worker.h"
#include "workers.h"

struct cli {
    int argc;
    char **argv;
    struct options options;
    lua_State *L;
    septet_host *host; /* NULL while no host can unwind a script */
    bool ended;        /* nothing more will run */
    bool traces;       /* outputs of the trace have started; trace_finish() is to be called */
    bool exiting;      /* by os.exit(code, true); the code is in `status` */
    int status;        /* exit status of the process */
    int signal;        /* signal that ended the script, by which to end; or 0 */
    struct warnings warnings;
};

/* --- callbacks of the host --- */

static void on_error(void *ud, const septet_error *error)
{
    terminal_before_output();
    if (error->is_main)
        fprintf(stderr, "septet: %s\n", error->message);
    else
        fprintf(stderr, "septet: unhandled error in task '%s': %s\n", error->task, error->message);
    if (error->traceback[0] != '\0')
        fprintf(stderr, "%s\n", error->traceback);
}

static void on_warning(void *ud, const char *message)
{
    terminal_before_output();
    fprintf(stderr, "septet: warning: %s\n", message);
}

/* --- the end --- */

/* Flushes standard output. Returns the status to end with. If any output was lost, prints that and
 * returns a failure. */
static int finish_output(int status)
{
    bool lost = ferror(stdout) != 0; /* its reason is no longer known */
    const char *reason = "some of it is lost";
    if (fflush(stdout) != 0) {
        lost = true;
        reason = strerror(errno);
    }
    if (!lost)
        return status;
    fprintf(stderr, "septet: cannot write to standard output: %s\n", reason);
    return status == EXIT_DONE ? EXIT_SCRIPT : status;
}

/* Ends the process by the signal that ended the script, so that a shell sees it. */
static void die_of(int number)
{
    if (number != SIGPIPE)
        finish_output(EXIT_SIGNAL + number);
    fflush(NULL);
    signal(number, SIG_DFL);
    raise(number);
}

/* Ends the outputs of the trace, as nothing else will run. Returns the status to end with. */
static int finish_traces(struct cli *cli, lua_State *L, int status)
{
    if (cli->traces)
        lua_sethook(L, NULL, 0, 0); /* it would end a task that runs for too long */
    bool ok = !cli->traces || trace_finish(L);
    cli->traces = false;
    return ok || status != EXIT_DONE ? status : EXIT_SCRIPT;
}

/* --- os.exit --- */

/* os.exit(code, close): closing the state first unwinds the tasks, including the caller. It is
 * closed, too, if a collector is to get what they did. That may be impossible, in a finalizer at
 * the end or in a task that continues all the same. Then the state is closed at once, as lua5.4
 * does. */
static int l_exit(lua_State *L)
{
    struct cli *cli = lua_touserdata(L, lua_upvalueindex(1));
    int status;
    if (lua_isboolean(L, 1))
        status = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
    else
        status = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
    if (lua_toboolean(L, 2) || cli->options.outputs.otlp) {
        if (cli->host != NULL) {
            if (!cli->exiting)
                cli->status = status;
            status = cli->status;
            cli->ended = cli->exiting = true;
            signals_end_with(status);
            septet_exit(L);
        }
        status = finish_traces(cli, L, status);
        lua_close(cli->L);
    }
    terminal_restore();
    exit(finish_output(finish_traces(cli, L, status)));
}

/* --- the state, before any script --- */

/* Sets `arg`: the script's name is at 0, its arguments follow, and the words before it are at
 * negative indices. Without a script, the program's name is at 0. */
static void set_arg(lua_State *L, const struct cli *cli)
{
    int zero = cli->options.script < cli->argc ? cli->options.script : 0;
    lua_createtable(L, cli->argc - zero, zero + 1);
    for (int i = 0; i < cli->argc; i++) {
        lua_pushstring(L, cli->argv[i]);
        lua_rawseti(L, -2, i - zero);
    }
    lua_setglobal(L, "arg");
}

static void replace_exit(lua_State *L, struct cli *cli)
{
    lua_getglobal(L, "os");
    lua_pushlightuserdata(L, cli);
    lua_pushcclosure(L, l_exit, 1);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
}

static void run_at_once(lua_State *L, const char *source)
{
    if (luaL_dostring(L, source) != LUA_OK)
        lua_error(L);
}

/* Prepares the state. Called with the struct cli. */
static int l_prepare(lua_State *L)
{
    struct cli *cli = lua_touserdata(L, 1);
    set_arg(L, cli);
    replace_exit(L, cli);
    watched_begin(L);
    if (cli->options.versions > 1)
        run_at_once(L, "print(require('septet').versions(true))");
    else if (cli->options.versions)
        run_at_once(L, "print(require('septet').versions())");
    return 0;
}

/* The heap may grow to this percentage of the live data before a cycle of the garbage collector
 * begins. Every task is a coroutine, which the collector visits twice in a cycle
 * (docs/decisions/0014). A script may set its own. */
#define GC_PAUSE 250

/* Opens the standard libraries. Called with the struct cli, before the host is created, which reads
 * the environment like the libraries do. */
static int l_open_libraries(lua_State *L)
{
    struct cli *cli = lua_touserdata(L, 1);
    luaL_checkversion(L);
    lua_gc(L, LUA_GCINC, GC_PAUSE, 0, 0);
    if (cli->options.ignore_env) {
        lua_pushboolean(L, 1);
        lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    }
    luaL_openlibs(L);
    modules_give(L);
    worker_seed(L);
    return 0;
}

/* --- main tasks, one after the other --- */

static void fail(struct cli *cli, int status, const char *message)
{
    fprintf(stderr, "septet: %s\n", message);
    cli->ended = true;
    cli->status = status;
}

/* Calls `function` outside any task, with `data`. Its results stay on the stack. Returns false
 * after an error, which ends the command. */
static bool call(struct cli *cli, lua_CFunction function, void *data)
{
    lua_State *L = cli->L;
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, data);
    if (lua_pcall(L, 1, LUA_MULTRET, 0) == LUA_OK)
        return true;
    const char *message = lua_tostring(L, -1);
    fail(cli, EXIT_SCRIPT, message != NULL ? message : "error object is not a string");
    lua_pop(L, 1);
    return false;
}

/* Sets the status of the process by the result of septet_run(). */
static void conclude(struct cli *cli, int result)
{
    if (cli->ended || result == SEPTET_OK)
        return;
    cli->ended = true;
    cli->status = EXIT_SCRIPT;
    if (result == SEPTET_EDEADLOCK) {
        cli->status = EXIT_DEADLOCK;
    } else if (result == SEPTET_EINTERRUPTED && signals_caught() != 0) {
        cli->signal = signals_caught();
        cli->status = EXIT_SIGNAL + signals_caught();
    } else if (result != SEPTET_ESCRIPT) {
        fail(cli, EXIT_SCRIPT, septet_strerror(result));
    }
}

/* Runs a main task. `load`, called with `data`, returns the task's function and arguments. */
static void run_task(struct cli *cli, const char *name, lua_CFunction load, void *data)
{
    int base = lua_gettop(cli->L);
    if (cli->ended || !call(cli, load, data))
        return;
    int result = septet_spawn(cli->host, name, lua_gettop(cli->L) - base - 1);
    if (result != SEPTET_OK)
        fail(cli, EXIT_SCRIPT, septet_strerror(result));
    else
        conclude(cli, signals_run(cli->host));
}

static void run_chunk(struct cli *cli, const char *task, const char *name, const char *source)
{
    struct chunk chunk = {name, source};
    run_task(cli, task, load_chunk, &chunk);
}

static void run_init(struct cli *cli)
{
    const char *name = "=LUA_INIT_5_4";
    char *init = getenv(name + 1);
    if (init == NULL)
        init = getenv((name = "=LUA_INIT") + 1);
    if (init == NULL)
        return;
    if (init[0] == '@')
        run_task(cli, name + 1, load_file, init + 1);
    else
        run_chunk(cli, name + 1, name, init);
}

/* Runs the options that have an effect, in their order. */
static void run_options(struct cli *cli)
{
    for (int i = 1; i < cli->options.option_count && !cli->ended; i++) {
        char letter = cli->argv[i][1];
        if (letter == 'W')
            lua_warning(cli->L, "@on", 0);
        if (letter != 'e' && letter != 'l')
            continue;
        char *value = cli->argv[i][2] != '\0' ? cli->argv[i] + 2 : cli->argv[++i];
        if (letter == 'e')
            run_chunk(cli, "-e", "=(command line)", value);
        else
            run_task(cli, "-l", load_module, value);
    }
}

static void run_script(struct cli *cli)
{
    int script = cli->options.script;
    if (cli->options.command != NULL) {
        struct command command = {cli->options.command->module, cli->argv + 2, &cli->status};
        char *name[] = {cli->argv[1], NULL};
        if (command.module == NULL) { /* it runs without Lua, but for its help */
            command.module = "septet.command.help";
            command.argv = name;
        }
        run_task(cli, cli->argv[1], load_command, &command);
    } else if (options_run_stdin(&cli->options, cli->argc)) {
        run_task(cli, "main", load_file, NULL);
    } else if (script < cli->argc) {
        /* after --, a script may have the name - */
        bool is_stdin = strcmp(cli->argv[script], "-") == 0 && script == cli->options.option_count;
        run_task(cli, "main", load_script, is_stdin ? NULL : cli->argv[script]);
    }
}

/* Opens the prompt, also after a failure. Failures of its own tasks do not count. */
static void run_prompt(struct cli *cli)
{
    struct repl repl = {&cli->options, cli->argc, -1};
    cli->ended = cli->exiting || cli->signal != 0;
    if (cli->ended || !cli->options.interactive)
        return;
    run_task(cli, "prompt", load_repl, &repl);
    cli->status = repl_end(&repl, cli->status);
    if (!cli->exiting)
        cli->signal = signals_leave_signal();
}

/* --- the process --- */

static bool start_traces(struct cli *cli)
{
    struct trace_start start = {cli->argv, cli->options.option_count, cli->options.script};
    cli->traces = cli->options.outputs.any;
    if (cli->options.outputs.at_end)
        signals_interrupt_by_pipe();
    return !cli->traces || call(cli, trace_start, &start);
}

static void run_in_host(struct cli *cli)
{
    if (!call(cli, l_prepare, cli) || cli->options.only_text || !start_traces(cli))
        return;
    if (!cli->options.ignore_env && cli->options.command == NULL)
        run_init(cli);
    run_options(cli);
    run_script(cli);
    run_prompt(cli);
}

static bool wants_warnings(const struct cli *cli)
{
    for (int i = 1; i < cli->options.option_count; i++)
        if (strcmp(cli->argv[i], "-W") == 0)
            return true;
    return false;
}

/* Gives the rest of the shutdown the grace period of an interrupted script's signal. Its handler is
 * no longer set. The shutdown may have to close a program started by io.popen, for example. Files
 * are flushed first. */
static void limit_the_end(int number)
{
    signals_limit_the_end(number);
    fflush(NULL);
}

static void run_in_state(struct cli *cli)
{
    septet_config config;
    int result;
    if (!call(cli, l_open_libraries, cli))
        return;
    septet_config_init(&config);
    config.lua = cli->L;
    config.on_error = on_error;
    config.on_warning = on_warning;
    config.on_interrupted = signals_delivered;
    config.on_inspect = inspect_show;
    config.processes = 1;
    config.clock = cli->options.virtual_time ? SEPTET_CLOCK_VIRTUAL : SEPTET_CLOCK_REAL;
    config.shuffle_seed = cli->options.shuffle;
    config.own_frames = cli->options.versions > 0;
    config.limits.slice_ms = (uint32_t)(cli->options.max_slice * 1000);
    if (!cli->options.ignore_env) {
        config.lua_path = getenv("SEPTET_LUA_PATH");
        config.quirks = getenv("SEPTET_QUIRKS");
    }
    /* Scripts advance a virtual clock as they like, and next to a command no other task waits. */
    if ((cli->options.virtual_time && !wants_warnings(cli)) || cli->options.command != NULL ||
        cli->options.interactive)
        config.slow_ms = 0;
    cli->host = septet_new(&config, &result);
    if (cli->host == NULL) {
        fail(cli, EXIT_SCRIPT, septet_strerror(result));
        return;
    }
    run_in_host(cli);
    if (cli->signal != 0)
        limit_the_end(cli->signal);
    septet_host *host = cli->host;
    cli->host = NULL;
    septet_free(host);
    if (cli->signal != 0 && cli->traces)
        limit_the_end(cli->signal);
    cli->status = finish_traces(cli, cli->L, cli->status);
}

int main(int argc, char **argv)
{
    struct cli cli = {.argc = argc, .argv = argv};
    terminal_fill_descriptors();
    signals_catch_output();
    if (ps_is_meant(argc, argv))
        return ps_run(argc, argv);
    inspect_init();
    int status = options_parse(&cli.options, argc, argv);
    if (status != EXIT_DONE)
        return status;
    if (cli.options.help)
        return finish_output(options_print_help(&cli.options));
    watched_follow();
    if (cli.options.workers > 1)
        return workers_run(&cli.options, argc, argv);
    worker_begin(&cli.options);
    watched_take();
    if (cli.options.script < argc)
        inspect_set_title(argv[cli.options.script]);
    signals_init();
    if (cli.options.command != NULL)
        signals_keep_quiet();
    memory_init();
    cli.L = luaL_newstate();
    if (cli.L == NULL) {
        fail(&cli, EXIT_SCRIPT, septet_strerror(SEPTET_ENOMEM));
        return cli.status;
    }
    warnings_receive(cli.L, &cli.warnings);
    run_in_state(&cli);
    lua_close(cli.L);
    if (cli.signal != 0)
        die_of(cli.signal);
    return finish_output(cli.status);
}
