/* SPDX-License-Identifier: MIT */
/* A project outside this one, in C: built against an installed Septet by tests/package. */
#include <septet/septet.h>

#include <stdio.h>

static void print_error(void *ud, const septet_error *error)
{
    fprintf(stderr, "%s\n%s\n", error->message, error->traceback);
}

int main(void)
{
    septet_config config;
    septet_config_init(&config);
    config.on_error = print_error;
    septet_host *host = septet_new(&config, NULL);
    if (!host || septet_version_number() != SEPTET_VERSION_NUMBER)
        return 1;
    lua_pushstring(septet_lua(host), septet_version()); /* the program links Lua itself, too */
    lua_setglobal(septet_lua(host), "version");
    int rc = septet_load_string(host, "=script",
                                "local task = require 'septet.task'\n"
                                "local tasks = task.map(task.sleep, { 0.01, 0.02 })\n"
                                "task.gather(tasks)\n"
                                "print(#tasks .. ' tasks slept in septet ' .. version)\n");
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    septet_free(host);
    return rc == SEPTET_OK ? 0 : 1;
}
