/* SPDX-License-Identifier: MIT */
/* The smallest host: runs one script to its end. */
#include <septet/septet.h>

#include <stdio.h>

static const char script[] = "local task = require 'septet.task'\n"
                             "local function work(n) task.sleep(n / 100) return n * n end\n"
                             "local squares = task.gather(task.map(work, { 3, 2, 1 }))\n"
                             "assert(table.concat(squares, ' ') == '9 4 1')\n"
                             "print(table.concat(squares, ' '))\n";

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
    if (!host)
        return 1;
    int rc = septet_load_string(host, "=script", script);
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    septet_free(host);
    return rc == SEPTET_OK ? 0 : 1;
}
