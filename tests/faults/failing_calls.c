/* SPDX-License-Identifier: MIT */
/* The library's own calls are caught by the linker's --wrap. libuv's memory is left out, as it ends
 * the process where its table of watchers cannot grow. */
#include "faults/failing_calls.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

const char *const kind_names[KINDS] = {"Lua", "own", "libcurl", "uv_poll_init_socket", "socket"};
struct fault fault;
struct live live;

static bool fails(enum kind kind)
{
    if (!fault.armed || fault.kind != kind)
        return false;
    long n = ++fault.calls;
    bool hit = fault.from && n >= fault.from && n - fault.from < fault.run;
    fault.failed += hit;
    return hit;
}

void fault_arm(enum kind kind, long from, long run)
{
    memset(&fault, 0, sizeof fault);
    fault.kind = kind;
    fault.from = from;
    fault.run = run;
    fault.armed = true;
}

/* --- the points --- */

unsigned long fault_seed(void)
{
    const char *text = getenv("SEPTET_TORTURE_SEED");
    time_t now = time(NULL);
    struct tm date;
    gmtime_r(&now, &date);
    return text ? strtoul(text, NULL, 10) : (unsigned long)(date.tm_year * 12 + date.tm_mon);
}

struct fault_points fault_points(long total, long n)
{
    const char *text = getenv("SEPTET_TORTURE");
    long wanted = text ? atol(text) : n;
    bool all = wanted == 0 || wanted > total;
    return (struct fault_points){.total = total, .n = all ? total : wanted, .state = fault_seed()};
}

long fault_next_point(struct fault_points *points)
{
    if (points->tried == points->n)
        return 0;
    points->tried++;
    if (points->n == points->total)
        return points->tried;
    points->state = points->state * 6364136223846793005UL + 1442695040888963407UL;
    return 1 + (long)((points->state >> 33) % (unsigned long)points->total);
}

/* --- the library's own memory, by the linker's --wrap --- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);
void *__real_spt_pages_new(size_t n, size_t size);
void __real_spt_pages_free(void *pages, size_t n, size_t size);
int __real_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);
void *__wrap_spt_pages_new(size_t n, size_t size);
void __wrap_spt_pages_free(void *pages, size_t n, size_t size);
int __wrap_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd);

static void *counted(void *block)
{
    live.own += block != NULL;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return fails(OWN) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails(OWN) ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails(OWN))
        return NULL;
    void *moved = __real_realloc(block, size);
    live.own += !block && moved;
    return moved;
}

char *__wrap_strdup(const char *text)
{
    return fails(OWN) ? NULL : counted(__real_strdup(text));
}

void __wrap_free(void *block)
{
    live.own -= block != NULL;
    __real_free(block);
}

void *__wrap_spt_pages_new(size_t n, size_t size)
{
    return fails(OWN) ? NULL : counted(__real_spt_pages_new(n, size));
}

void __wrap_spt_pages_free(void *pages, size_t n, size_t size)
{
    live.own -= pages != NULL;
    __real_spt_pages_free(pages, n, size);
}

int __wrap_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd)
{
    return fails(POLLER) ? UV_ENOMEM : __real_uv_poll_init_socket(loop, poll, fd);
}

/* Stands in for the C library's, and is seen by c-ares, too. */
int socket(int domain, int type, int protocol)
{
    if (fails(SOCKET)) {
        errno = EACCES;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}

/* --- libcurl's memory --- */

static void *curl_counted(void *block)
{
    live.curl += block != NULL;
    return block;
}

/* Of these sizes are what libcurl notes of the transfers of a socket, a table and its entries.
 * Where it cannot, it leaves a table without places behind, and divides by their number when the
 * socket is next looked at: that is its own to mend, and nobody's to survive. */
static bool is_spared(size_t size)
{
    return size == 13 * 4 * sizeof(void *) || size == 7 * sizeof(void *);
}

static void *curl_malloc(size_t size)
{
    return !is_spared(size) && fails(CURL_MEMORY) ? NULL : curl_counted(__real_malloc(size));
}

static void *curl_calloc(size_t n, size_t size)
{
    return fails(CURL_MEMORY) ? NULL : curl_counted(__real_calloc(n, size));
}

static void *curl_realloc(void *block, size_t size)
{
    if (fails(CURL_MEMORY))
        return NULL;
    void *moved = __real_realloc(block, size);
    live.curl += !block && moved;
    return moved;
}

static char *curl_strdup(const char *text)
{
    return fails(CURL_MEMORY) ? NULL : curl_counted(__real_strdup(text));
}

static void curl_free_block(void *block)
{
    live.curl -= block != NULL;
    __real_free(block);
}

void fault_init_curl(void)
{
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_free_block, curl_realloc,
                         curl_strdup, curl_calloc);
}

/* --- Lua's memory --- */

void *fault_lua_memory(void *ud, void *block, size_t old, size_t size)
{
    if (!block)
        old = 0; /* then it is the kind of the object */
    if (size == 0) {
        __real_free(block);
        live.lua -= old;
        return NULL;
    }
    if (size > old && fails(LUA))
        return NULL;
    void *moved = __real_realloc(block, size);
    if (moved)
        live.lua += size - old;
    return moved;
}
