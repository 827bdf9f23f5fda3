/* SPDX-License-Identifier: MIT */
/* An engine that runs scripts of its players: with the engine's own allocator, in the standard
 * profile, each script with limits of its own. What one script does wrong ends that script; its
 * neighbour goes on. */
#include <septet/septet.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEGABYTE (1024 * 1024)

static const char *const sources[][2] = {
    {"@greedy.lua", "local all = {} for n = 1, math.huge do all[n] = ('x'):rep(100000) .. n end"},
    {"@endless.lua", "while true do end"},
    {"@curious.lua", "assert(not io.open '/etc/passwd') os.exit()"},
    {"@honest.lua", "local task = require 'septet.task'\n"
                    "for n = 1, 3 do task.sleep(0.01) end\n"
                    "print 'the honest script is done'\n"
                    "return 'done'"},
};
enum { SCRIPTS = sizeof sources / sizeof *sources };

struct engine {
    size_t bytes; /* what the scripts have of the engine's memory */
    int ended[SCRIPTS];
};

/* The engine's allocator, as lua_newstate takes it. */
static void *engine_alloc(void *ud, void *block, size_t old, size_t size)
{
    struct engine *engine = ud;
    void *moved = NULL;
    if (!block)
        old = 0; /* then it is the kind of an object */
    if (size == 0)
        free(block);
    else if (!(moved = realloc(block, size)))
        return NULL;
    engine->bytes += size - old;
    return moved;
}

static void on_error(void *ud, const septet_error *error)
{
    printf("%s: %s\n", error->kind, error->message);
}

static void on_print(void *ud, const char *text, size_t length)
{
    fwrite(text, 1, length, stdout);
}

/* Allows no file, no process and no connection. */
static int permit(void *ud, int what, const char *subject)
{
    return 0;
}

static void on_end(void *ud, septet_script *script, int status)
{
    *(int *)ud = status == SEPTET_OK ? 1 : -1;
}

static bool load(septet_host *host, struct engine *engine, int i)
{
    septet_script_options options;
    septet_script_options_init(&options);
    options.limits.memory = 4 * MEGABYTE;
    options.limits.slice_instructions = 1000000;
    options.limits.tasks = 100;
    options.on_end = on_end;
    options.ud = &engine->ended[i];
    septet_script *script = septet_script_new(host, &options, NULL);
    const char *source = sources[i][1];
    return script && septet_script_load(script, sources[i][0], source, strlen(source)) == SEPTET_OK;
}

int main(void)
{
    struct engine engine = {0};
    septet_config config;
    septet_config_init(&config);
    config.ud = &engine;
    config.alloc = engine_alloc;
    config.alloc_ud = &engine;
    config.on_error = on_error;
    config.on_print = on_print;
    config.permit = permit;
    config.limits.memory = 64 * MEGABYTE;
    config.script_memory = 1;
    septet_host *host = septet_new(&config, NULL);
    if (!host)
        return 1;
    bool loaded = true;
    for (int i = 0; i < SCRIPTS; i++)
        loaded = load(host, &engine, i) && loaded;
    septet_run(host);
    septet_free(host);
    for (int i = 0; i < SCRIPTS; i++) /* only the honest one has done what it wanted */
        loaded = loaded && engine.ended[i] == (i == SCRIPTS - 1 ? 1 : -1);
    return loaded && engine.bytes == 0 ? 0 : 1;
}
