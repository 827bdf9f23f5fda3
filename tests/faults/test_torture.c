/* The Nth allocation, poller or socket fails, for one N after the other, once or from there on: a
 * script that does a bit of all ends, each of its requests whole or with a typed error, an ordinary
 * request works afterwards, and nothing is left. Memory is Lua's, the library's own and libcurl's,
 * each for itself; libuv's is left out, as it ends the process where its table of watchers cannot
 * grow.
 *
 * There are too many N to try them all in each run: SEPTET_TORTURE is how many of each kind
 * (default 25; 0: all of them), SEPTET_TORTURE_SEED which ones (default: the month's). */
#include "support/host_fixture.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum kind { LUA, OWN, CURL_MEMORY, POLLER, SOCKET, KINDS };
static const char *const kind_names[KINDS] = {"Lua", "own", "libcurl", "uv_poll_init_socket",
                                              "socket"};

enum { FOR_EVER = 1000000000 };

/* --- what fails --- */

static struct {
    bool armed;
    enum kind kind;
    long calls; /* of that kind, while armed */
    long from;  /* the number of the first that fails, from 1; 0: none does */
    long run;   /* how many in a row */
    long failed;
} fault;

static struct {
    long own, curl; /* blocks */
} live;

static bool fails(enum kind kind)
{
    if (!fault.armed || fault.kind != kind)
        return false;
    long n = ++fault.calls;
    bool hit = fault.from && n >= fault.from && n - fault.from < fault.run;
    fault.failed += hit;
    return hit;
}

static void arm(enum kind kind, long from, long run)
{
    memset(&fault, 0, sizeof fault);
    fault.kind = kind;
    fault.from = from;
    fault.run = run;
    fault.armed = true;
}

/* --- the library's own memory, by the linker's --wrap --- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);
int __real_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);
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

/* --- Lua's memory --- */

static size_t lua_bytes;

static void *lua_memory(void *ud, void *block, size_t old, size_t size)
{
    if (!block)
        old = 0; /* then it is the kind of the object */
    if (size == 0) {
        __real_free(block);
        lua_bytes -= old;
        return NULL;
    }
    if (size > old && fails(LUA))
        return NULL;
    void *moved = __real_realloc(block, size);
    if (moved)
        lua_bytes += size - old;
    return moved;
}

/* --- the work --- */

/* A failure is what the script did not expect: `bad` keeps the first. Requests that are done are
 * counted. No URL has a query: libcurl drops one that it has no memory for, and tells nobody. Nor
 * does it meet TLS while its memory fails: what it could not note of a TLS session it frees
 * twice. */
static const char work[] =
    "local task, http = require 'septet.task', require 'septet.http' "
    "local function is_told(e) "
    "  if task.is(e, 'HttpError') then return codes[e.code] end "
    "  if task.is(e, 'Cancelled') then return true end " /* of what is gathered, another failed */
    "  local text = tostring(e) "
    "  return text:find 'not enough memory' or text:find 'out of memory' "
    "end "
    "local function judge(what, ok, e) "
    "  if ok then done = (done or 0) + 1 "
    "  elseif not is_told(e) then "
    "    bad = bad or ('%s: %s %s'):format(what, e, type(e) == 'table' and e.code) "
    "  end "
    "end "
    "local function expect(what, size, fn, ...) "
    "  local ok, r = pcall(fn, ...) "
    "  if ok and #r.body ~= size then ok, r = false, what .. ' gave ' .. #r.body .. ' bytes' end "
    "  judge(what, ok, r) "
    "end "
    "local session <close> = http.session { "
    "  cookies = true, tls = { ca_file = ca }, limit_per_host = 4, "
    "  resolve = { ['given.test:' .. port] = '127.0.0.1' }, headers = { ['X-Torture'] = '1' }, "
    "  timeout = { connect = 1, first_byte = 1, idle = 1, total = 2 } } "
    "expect('small', 16, session.get, session, origin .. '/bytes/16') "
    "expect('large', 50000, session.get, session, origin .. '/bytes/50000') "
    "expect('form', 3, session.post, session, origin .. '/mirror', { form = { a = 1 } }) "
    "expect('redirect', 2, session.get, session, origin .. '/redirect/2') "
    "expect('gzip', 1024, session.get, session, origin .. '/gzip') "
    "expect('chunked', 1024, session.get, session, origin .. '/chunked') "
    "expect('given', 1, session.get, session, 'http://given.test:' .. port .. '/bytes/1') "
    "expect('name', 1, session.get, session, 'http://localhost:' .. port .. '/bytes/1') "
    "if tls then expect('tls', 100, session.get, session, tls .. '/bytes/100') end "
    "expect('close', 2, session.get, session, origin .. '/close') "
    "judge('stream', pcall(function() "
    "  local r <close> = session:stream('GET', origin .. '/bytes/100000') "
    "  local n = 0 "
    "  for chunk in r:chunks() do n = n + #chunk end "
    "  if n ~= 100000 then error('a stream of ' .. n .. ' bytes') end "
    "end)) "
    "judge('upload', pcall(function() "
    "  local left = 3 "
    "  local r = session:post(origin .. '/mirror', { body = function() "
    "    left = left - 1 "
    "    if left >= 0 then return ('x'):rep(1000) end "
    "  end }) "
    "  if #r.body ~= 3000 then error('an upload came back as ' .. #r.body .. ' bytes') end "
    "end)) "
    "judge('expectation', pcall(function() "
    "  local r = session:post(origin .. '/refuse', { body = 'x', headers = { Expect = "
    "'100-continue' } }) "
    "  if r.status ~= 200 then error('an expectation that is refused was ' .. r.status) end "
    "end)) "
    "judge('move_on', pcall(task.move_on_after, 0.005, session.get, session, origin .. '/stall')) "
    "local many = {} "
    "for i = 1, 6 do many[i] = function() "
    "  expect('many', i, session.get, session, origin .. '/bytes/' .. i) "
    "end end "
    "judge('gather', pcall(task.gather, many)) ";

/* Codes that a fault may have. libcurl tells a lack of memory in several words: it gives a Location
 * that it has no memory to read as it is, and a header line that is too long looks like memory that
 * ran out. */
static const char *const codes[] = {"memory", "timeout",           "connect",  "dns",    "tls",
                                    "reset",  "headers_too_large", "redirect", "decode", NULL};

static void set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setglobal(L, name);
}

static const char *const modules[] = {"septet.task", "septet.http", "septet.http.upload", NULL};

/* Before anything fails: the globals of the script, and its modules. */
static int l_prepare(lua_State *L)
{
    const char *origin = getenv("SEPTET_ORIGIN"), *folder = getenv("SEPTET_TLS");
    luaL_argcheck(L, origin && folder, 1, "run this beside an origin and its peer 'tls'");
    set_string(L, "origin", origin);
    set_string(L, "port", strrchr(origin, ':') + 1);
    set_string(L, "tls", lua_toboolean(L, 1) ? getenv("SEPTET_TLS_ORIGIN") : NULL);
    lua_pushfstring(L, "%s/ca.pem", folder);
    lua_setglobal(L, "ca");
    lua_newtable(L);
    for (int i = 0; codes[i]; i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, codes[i]);
    }
    lua_setglobal(L, "codes");
    for (int i = 0; modules[i]; i++) {
        lua_getfield(L, LUA_REGISTRYINDEX, "septet.require");
        lua_pushstring(L, modules[i]);
        lua_call(L, 1, 0);
    }
    return 0;
}

static struct {
    long done;       /* requests that were whole, in all the rounds */
    long refused;    /* hosts that could not be made */
    long broken;     /* scripts that ended early */
    char text[1024]; /* what went wrong in the last round */
} result;

static void wrong(const char *what, const char *text)
{
    if (!result.text[0])
        snprintf(result.text, sizeof result.text, "%s: %s", what, text);
}

/* An ordinary request, on what the fault has left. */
static void check_sound(septet_host *host, struct reports *reports)
{
    *reports = (struct reports){0};
    int rc = septet_load_string(host, "=sound",
                                "local http = require 'septet.http' "
                                "local r = http.get(origin .. '/bytes/16') "
                                "assert(r.body == '0123456789abcdef')");
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    if (rc != SEPTET_OK || reports->errors)
        wrong("afterwards", reports->errors ? reports->message : septet_strerror(rc));
}

static void work_in(septet_host *host, struct reports *reports)
{
    lua_State *L = septet_lua(host);
    int rc = septet_load_string(host, "=work", work);
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    fault.armed = false;
    if (rc != SEPTET_OK) {
        result.broken++;
        if (rc != SEPTET_ENOMEM && !strstr(reports->message, "memory"))
            wrong(septet_strerror(rc), reports->message);
    }
    if (lua_getglobal(L, "bad") == LUA_TSTRING)
        wrong("in the script", lua_tostring(L, -1));
    lua_getglobal(L, "done");
    result.done += (long)lua_tointeger(L, -1);
    lua_pop(L, 2);
    check_sound(host, reports);
}

/* One round on a host of its own; the fault is armed for all of it but the preparation. */
static void round_of(enum kind kind, long from, long run)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    int status = SEPTET_OK;
    config.alloc = lua_memory;
    result.text[0] = '\0';
    arm(kind, from, run);
    fault.armed = kind != LUA; /* what a host is made of has tests of its own */
    septet_host *host = septet_new(&config, &status);
    fault.armed = false;
    if (!host) {
        result.refused++;
        if (status != SEPTET_ENOMEM && status != SEPTET_ELOOP)
            wrong("septet_new", septet_strerror(status));
        return;
    }
    lua_pushcfunction(septet_lua(host), l_prepare);
    lua_pushboolean(septet_lua(host), kind != CURL_MEMORY);
    lua_call(septet_lua(host), 1, 0);
    fault.armed = true;
    work_in(host, &reports);
    septet_free(host);
}

/* --- the points --- */

static long points_wanted(void)
{
    const char *text = getenv("SEPTET_TORTURE");
    return text ? atol(text) : 25;
}

static unsigned long seed(void)
{
    const char *text = getenv("SEPTET_TORTURE_SEED");
    time_t now = time(NULL);
    struct tm date;
    gmtime_r(&now, &date);
    return text ? strtoul(text, NULL, 10) : (unsigned long)(date.tm_year * 12 + date.tm_mon);
}

static unsigned long next_random(unsigned long *state)
{
    *state = *state * 6364136223846793005UL + 1442695040888963407UL;
    return *state >> 33;
}

static struct {
    long own, curl;
    int descriptors;
} before;

static void note_before(void)
{
    before.own = live.own;
    before.curl = live.curl;
    before.descriptors = count_descriptors();
}

static void check_point(enum kind kind, long from, long run)
{
    char what[128];
    snprintf(what, sizeof what, "%s, %ld from number %ld", kind_names[kind], run, from);
    if (getenv("SEPTET_TORTURE_VERBOSE"))
        fprintf(stderr, "%s\n", what); /* which one it was that ended the process */
    round_of(kind, from, run);
    if (result.text[0])
        fail_msg("%s: %s", what, result.text);
    if (lua_bytes != 0)
        fail_msg("%s: %zu bytes of Lua's are left", what, lua_bytes);
    if (live.own != before.own)
        fail_msg("%s: %ld blocks of our own are left", what, live.own - before.own);
    if (live.curl != before.curl)
        fail_msg("%s: %ld blocks of libcurl's are left", what, live.curl - before.curl);
    if (count_descriptors() != before.descriptors)
        fail_msg("%s: a descriptor is left", what);
}

/* How often `kind` is asked for in a round without faults, which must be all that it should be. */
static long count(enum kind kind)
{
    round_of(kind, 0, 0); /* what is made once in a process is made */
    note_before();
    result.done = 0;
    check_point(kind, 0, 0);
    assert_int_equal(result.done, kind == CURL_MEMORY ? 20 : 21);
    return fault.calls;
}

static void torture(enum kind kind, long run)
{
    long total = count(kind), wanted = points_wanted(), hits = 0;
    unsigned long state = seed();
    bool all = wanted == 0 || wanted >= total;
    long points = all ? total : wanted;
    assert_true(total > 0);
    memset(&result, 0, sizeof result);
    for (long i = 0; i < points; i++) {
        long n = all ? i + 1 : 1 + (long)(next_random(&state) % (unsigned long)total);
        check_point(kind, n, run);
        hits += fault.failed > 0;
    }
    assert_true(hits > points / 2); /* the work is not the same each time */
    printf("%s: %ld of %ld points, %ld without a host, %ld without an end, %ld requests whole\n",
           kind_names[kind], points, total, result.refused, result.broken, result.done);
}

/* A single refusal of Lua's memory leads to a collection and another try: two make an error. */
static void test_http_44_lua_memory_fails_once(void **state)
{
    torture(LUA, 2);
}

static void test_http_44_lua_memory_fails_for_ever(void **state)
{
    torture(LUA, FOR_EVER);
}

static void test_http_44_own_memory_fails_once(void **state)
{
    torture(OWN, 1);
}

static void test_http_44_own_memory_fails_for_ever(void **state)
{
    torture(OWN, FOR_EVER);
}

static void test_http_44_libcurl_memory_fails_once(void **state)
{
    torture(CURL_MEMORY, 1);
}

static void test_http_44_libcurl_memory_fails_for_ever(void **state)
{
    torture(CURL_MEMORY, FOR_EVER);
}

static void test_http_44_a_socket_cannot_be_watched_once(void **state)
{
    torture(POLLER, 1);
}

static void test_http_44_a_socket_cannot_be_watched_for_ever(void **state)
{
    torture(POLLER, FOR_EVER);
}

static void test_http_44_a_socket_cannot_be_made_once(void **state)
{
    torture(SOCKET, 1);
}

static void test_http_44_a_socket_cannot_be_made_for_ever(void **state)
{
    torture(SOCKET, FOR_EVER);
}

/* With an argument: the tests of which it is the pattern. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_44_lua_memory_fails_once),
        cmocka_unit_test(test_http_44_lua_memory_fails_for_ever),
        cmocka_unit_test(test_http_44_own_memory_fails_once),
        cmocka_unit_test(test_http_44_own_memory_fails_for_ever),
        cmocka_unit_test(test_http_44_libcurl_memory_fails_once),
        cmocka_unit_test(test_http_44_libcurl_memory_fails_for_ever),
        cmocka_unit_test(test_http_44_a_socket_cannot_be_watched_once),
        cmocka_unit_test(test_http_44_a_socket_cannot_be_watched_for_ever),
        cmocka_unit_test(test_http_44_a_socket_cannot_be_made_once),
        cmocka_unit_test(test_http_44_a_socket_cannot_be_made_for_ever),
    };
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_free_block, curl_realloc,
                         curl_strdup, curl_calloc);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    printf("seed %lu\n", seed());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
