/* SPDX-License-Identifier: MIT */
/* hosts N: makes N hosts, and prints the bytes that malloc gave to the process, those that are
 * resident, and those of the Lua states, then frees them. instructions.py takes the difference of
 * two N. */
#include <inttypes.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <lua.h>

#include "septet/septet.h"

static int64_t resident_bytes(void)
{
    long pages = 0, unused;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &unused, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static int64_t allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

static int64_t lua_bytes(septet_host *host)
{
    lua_State *L = septet_lua(host);
    return (int64_t)lua_gc(L, LUA_GCCOUNT) * 1024 + lua_gc(L, LUA_GCCOUNTB);
}

int main(int argc, char **argv)
{
    long n = argc == 2 ? atol(argv[1]) : 0;
    septet_host **hosts = calloc((size_t)n + 1, sizeof *hosts);
    int64_t in_lua = 0;
    septet_config config;
    septet_config_init(&config);
    if (n < 1 || !hosts)
        return 2;
    for (long i = 0; i < n; i++) {
        hosts[i] = septet_new(&config, NULL);
        if (!hosts[i])
            return 1;
        in_lua += lua_bytes(hosts[i]);
    }
    printf("%" PRId64 " allocated %" PRId64 " resident %" PRId64 " in Lua\n", allocated_bytes(),
           resident_bytes(), in_lua);
    for (long i = 0; i < n; i++)
        septet_free(hosts[i]);
    free(hosts);
    return 0;
}
