/* SPDX-License-Identifier: MIT */
/* An engine with an allocator and modules of its own, which runs scripts that others wrote. Each
 * has globals and a share of the memory of its own, prints to the engine's console, and reads the
 * files of the game alone. A module is loaded again while a script uses it. */
#include <septet/septet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAME "game/" /* the folder of the files that scripts may read */

struct engine {
    size_t bytes; /* allocated by scripts */
    int lines;    /* number of lines on the console */
    int version;  /* of the module `rules` */
    int errors;
};

static void *allocate(void *ud, void *block, size_t old, size_t size)
{
    struct engine *engine = ud;
    engine->bytes += size - (block ? old : 0);
    if (size > 0)
        return realloc(block, size);
    free(block);
    return NULL;
}

static void on_error(void *ud, const septet_error *error)
{
    struct engine *engine = ud;
    engine->errors++;
    fprintf(stderr, "%s: %s\n", error->kind, error->message);
}

static void on_print(void *ud, const char *text, size_t length)
{
    struct engine *engine = ud;
    engine->lines++;
    printf("console: %.*s", (int)length, text);
}

static int permit(void *ud, int what, const char *subject)
{
    return what == SEPTET_PERMIT_READ && strncmp(subject, GAME, strlen(GAME)) == 0 &&
           !strstr(subject, "..");
}

/* The engine's archive has one module. */
static int load_module(void *ud, const char *name, septet_source *source)
{
    static const char *const versions[] = {"return { damage = function() return 1 end }",
                                           "return { damage = function() return 5 end }"};
    const struct engine *engine = ud;
    if (strcmp(name, "rules") != 0)
        return 0;
    source->text = versions[engine->version];
    source->length = strlen(source->text);
    return 1;
}

static const char player[] = "local task, rules = require 'septet.task', require 'rules'\n"
                             "print('damage ' .. rules.damage())\n"
                             "repeat task.sleep(0.001) until rules.damage() == 5\n"
                             "print('damage ' .. rules.damage())\n"
                             "assert(('x'):rep(3) == 'xxx' and string.rep('x', 3) == 'xxx')\n";

/* Tries what it may not do. None of it harms the engine or the other script. */
static const char intruder[] =
    "local task = require 'septet.task'\n"
    "assert(not io.open('/etc/passwd') and not io.open('game/../secret'))\n"
    "assert(not os.remove 'game/map' and not io.popen 'ls' and not os.exit)\n"
    "assert(not pcall(function() task.sleep = print end))\n"
    "string.rep = function() return 'evil' end\n" /* its own copy */
    "local ok, err = pcall(function()\n"
    "  local hoard = {}\n"
    "  while true do hoard[#hoard + 1] = ('%d'):format(#hoard):rep(1000) end\n"
    "end)\n"
    "assert(not ok and tostring(err) == 'not enough memory')\n"
    "print('the intruder gives up')\n";

static septet_script *load(septet_host *host, const char *name, const char *source)
{
    septet_script_options options;
    septet_script_options_init(&options);
    options.name = name;
    options.limits.memory = 4 << 20;
    septet_script *script = septet_script_new(host, &options, NULL);
    if (script && septet_script_load(script, name, source, strlen(source)) != SEPTET_OK)
        return NULL;
    return script;
}

int main(void)
{
    struct engine engine = {0};
    septet_config config;
    septet_config_init(&config);
    config.ud = &engine;
    config.alloc = allocate;
    config.alloc_ud = &engine;
    config.on_error = on_error;
    config.on_print = on_print;
    config.permit = permit;
    config.load_module = load_module;
    config.limits.memory = 32 << 20; /* of all scripts together */
    config.script_memory = 1;        /* each has a limit, too */
    septet_host *host = septet_new(&config, NULL);
    if (!host)
        return 1;
    septet_script *one = load(host, "=player", player), *two = load(host, "=intruder", intruder);
    while (one && two && septet_step(host, 1000) != SEPTET_DONE) {
        if (engine.version > 0 || septet_script_status(two) == 1)
            continue;
        engine.version = 1; /* the designer has saved the file */
        if (septet_reload(host, "rules") != SEPTET_OK)
            break;
    }
    int done = one && two && septet_script_status(one) == SEPTET_OK &&
               septet_script_status(two) == SEPTET_OK;
    septet_free(host);
    printf("%d lines, %d errors, %zu bytes left\n", engine.lines, engine.errors, engine.bytes);
    return done && engine.lines == 3 && engine.errors == 0 && engine.bytes == 0 ? 0 : 1;
}
