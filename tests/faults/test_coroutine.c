/* The functions of `coroutine`, and what `debug` shows of coroutines, beside those of stock Lua:
 * one script runs in a plain state and in a task, and says the same. */
#include "support/host_fixture.h"

/* Logs the words of everything that it gets. */
#define SAY                                                                                        \
    "log = {}\n"                                                                                   \
    "local function words(v)\n"                                                                    \
    "  local t = type(v)\n"                                                                        \
    "  return (t == 'string' or t == 'number' or t == 'boolean') and tostring(v) or t\n"           \
    "end\n"                                                                                        \
    "local function say(...)\n"                                                                    \
    "  local line = table.pack(...)\n"                                                             \
    "  for i = 1, line.n do line[i] = words(line[i]) end\n"                                        \
    "  log[#log + 1] = table.concat(line, ' ')\n"                                                  \
    "end\n"

static const char *const scripts[] = {
    /* each function of a coroutine in each state, called from C, from Lua, and as a method */
    SAY
    "local names = { 'resume', 'close', 'status', 'isyieldable', 'running', 'wrap', 'create' }\n"
    "local function try(state, co)\n"
    "  say(state, coroutine.status(co), coroutine.isyieldable(co))\n"
    "  for _, name in ipairs(names) do\n"
    "    local f = coroutine[name]\n"
    "    if not (state:find 'live' and (name == 'resume' or name == 'close')) then\n"
    "      say(name, pcall(f, co)) say(name, pcall(f, co, 1, nil))\n"
    "      say(name, pcall(function() return f(co) end))\n"
    "      say(name, pcall(function() local r = f(co) return r end))\n"
    "    end\n"
    "  end\n"
    "end\n"
    "local closer = setmetatable({}, { __close = function(_, e) say('closed', e) end })\n"
    "local function dead(f) local co = coroutine.create(f) coroutine.resume(co) return co end\n"
    "local function fails() local c <close> = closer error 'why' end\n"
    "local function waits() local c <close> = closer coroutine.yield(1) error { 2 } end\n"
    "local main = coroutine.running()\n"
    "local function all(where)\n"
    "  try(where .. ' new', coroutine.create(function(...) return ... end))\n"
    "  try(where .. ' new in C', coroutine.create(math.max))\n"
    "  try(where .. ' suspended', dead(waits))\n"
    "  try(where .. ' ended', dead(function() return 1 end))\n"
    "  try(where .. ' failed', dead(fails))\n"
    "  try(where .. ' failed in C', dead(error))\n"
    "  local closed = dead(waits) coroutine.close(closed)\n"
    "  try(where .. ' closed', closed)\n"
    "  try(where .. ' main', main)\n"
    "  try(where .. ' running', (coroutine.running()))\n"
    "  say(coroutine.running()) say(coroutine.isyieldable())\n"
    "end\n"
    "all 'main'\n"
    "coroutine.wrap(all) 'wrapped'\n"
    "coroutine.wrap(function() coroutine.wrap(all) 'twice' end)()\n"
    "say(coroutine.resume(coroutine.create(all), 'created'))\n"
    "local outer = coroutine.create(function(co) coroutine.wrap(try)('normal', co) end)\n"
    "say(coroutine.resume(outer, outer))\n",
    /* wrong arguments */
    SAY
    "for _, name in ipairs { 'create', 'wrap', 'resume', 'close', 'status', 'isyieldable' } do\n"
    "  local f = coroutine[name]\n"
    "  for _, v in ipairs { 42, 'x', true, {}, io.stdout } do\n"
    "    say(name, pcall(f, v)) say(name, pcall(function() return (f(v)) end))\n"
    "    say(name, pcall(function() coroutine[name](v) end))\n"
    "  end\n"
    "  if name ~= 'isyieldable' then say(name, pcall(f)) end\n"
    "  say(name, pcall(f, nil))\n"
    "end\n"
    "say(pcall(coroutine.running, 42)) say(pcall(coroutine.isyieldable))\n",
    /* yields where there is nobody to yield to, and over C */
    SAY "local function over(sort) return pcall(table.sort, { 2, 1 }, sort) end\n"
        "local function less() coroutine.yield() end\n"
        "say(pcall(coroutine.yield)) say(pcall(function() coroutine.yield(1, 2) end))\n"
        "say(pcall(pcall, coroutine.yield))\n"
        "say(coroutine.wrap(function() return over(less) end)())\n"
        "say(coroutine.resume(coroutine.create(function() return over(less) end)))\n"
        "say(coroutine.wrap(function() return over(coroutine.isyieldable) end)())\n",
    /* wrapped ones: values, errors and their places, ends */
    SAY
    "local closer = setmetatable({}, { __close = function(_, e) say('closed', e) end })\n"
    "local function try(name, f, ...)\n"
    "  local g = coroutine.wrap(f)\n"
    "  for i = 1, 3 do\n"
    "    say(name, i, pcall(g, ...)) say(name, i, pcall(function() return (g()) end))\n"
    "    say(name, i, pcall(function() for x in g do say(x) break end end))\n"
    "  end\n"
    "end\n"
    "try('returns', function(...) return ... end, 1, nil, 'x', nil)\n"
    "try('yields', function(...) return coroutine.yield(coroutine.yield(...)) end, 1, nil, nil)\n"
    "try('no arguments', function() local a <const> = 1 return a end)\n"
    "for level = 0, 3 do try('fails', function() local c <close> = closer error('why', level) end) "
    "end\n"
    "try('fails later', function() local c <close> = closer coroutine.yield(1) error 'why' end)\n"
    "try('fails with', function() error { 1 } end) try('fails with', function() error(nil) end)\n"
    "try('fails with', function() error(42) end)\n"
    "try('fails while closing', function()\n"
    "  local c <close> = setmetatable({}, { __close = function() error 'closing' end }) error "
    "'why'\n"
    "end)\n"
    "try('is in C', math.max, 1, 3, 2) try('is in C', error, 'why') try('is in C', pcall, error, "
    "'why')\n"
    "try('is in C', coroutine.yield, 1, 2) try('is in C', pcall, coroutine.yield, 1)\n"
    "try('sorts', table.sort, { 3, 1, 2 }, function(a, b) return a < b end)\n"
    "local itself itself = coroutine.wrap(function() return itself() end) say(pcall(itself))\n"
    "local again again = coroutine.wrap(function() return pcall(again) end) say(again())\n"
    "local own own = coroutine.wrap(function() return coroutine.close(coroutine.running()) end)\n"
    "say(pcall(own))\n"
    "local co local f = coroutine.wrap(function() co = coroutine.running() coroutine.yield() end)\n"
    "f() say(coroutine.status(co), coroutine.resume(co)) say(coroutine.status(co))\n"
    "say(coroutine.close(co)) say(pcall(f))\n"
    "f = coroutine.wrap(function() co = coroutine.running() coroutine.yield() end)\n"
    "f() say(coroutine.close(co)) say(pcall(f)) say(coroutine.status(co))\n",
    /* levels of the stack of a wrapped one */
    SAY
    "local function look(n)\n"
    "  if n > 0 then local r = look(n - 1) return r end\n"
    "  for level = -1, 40 do\n"
    "    local i = debug.getinfo(level, 'nSlt')\n"
    "    say(level, i and i.what, i and i.name, i and i.currentline, i and i.istailcall)\n"
    "    say(pcall(debug.getlocal, level, 1)) say(pcall(debug.setlocal, level, 1))\n"
    "    say((pcall(debug.getlocal, level, 100)))\n"
    "    say(debug.traceback('at', level)) say(debug.traceback(nil, level)) "
    "say(debug.traceback({}, level))\n"
    "    say(pcall(error, 'why', level))\n"
    "  end\n"
    "  say(debug.traceback()) say(debug.traceback(12)) say(debug.traceback 'x\\ny')\n"
    "  say(pcall(debug.traceback, 'x', {})) say(pcall(debug.getinfo, 1, 'X')) "
    "say(pcall(debug.getinfo))\n"
    "  say(pcall(debug.getlocal)) say(pcall(debug.setlocal, 1)) say(pcall(debug.getinfo, 1.5))\n"
    "end\n"
    "local function tail(n) return look(n) end\n"
    "for n = 0, 30 do coroutine.wrap(look)(n) coroutine.wrap(tail)(n) coroutine.wrap(pcall)(look, "
    "n) end\n"
    "local co\n"
    "local function stay(n) co = coroutine.running()\n"
    "  if n > 0 then stay(n - 1) else coroutine.yield() end end\n"
    "for n = 0, 30 do\n"
    "  local f = coroutine.wrap(stay) f(n)\n"
    "  for level = 0, 35 do\n"
    "    local i = debug.getinfo(co, level, 'nSl')\n"
    "    say(level, i and i.what, i and i.currentline, pcall(debug.getlocal, co, level, 1))\n"
    "    say(debug.traceback(co, 'at', level))\n"
    "  end\n"
    "  say(debug.traceback(co)) f() say(debug.traceback(co))\n"
    "end\n",
};

static char *log_of(lua_State *L)
{
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "concat");
    lua_getglobal(L, "log");
    lua_pushliteral(L, "\n");
    lua_call(L, 2, 1);
    char *text = strdup(lua_tostring(L, -1));
    assert_non_null(text);
    lua_settop(L, 0);
    return text;
}

static char *stock_log(const char *script)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_loadbufferx(L, script, strlen(script), "=script", "t"), LUA_OK);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
    char *text = log_of(L);
    lua_close(L);
    return text;
}

static char *task_log(const char *script)
{
    struct reports reports;
    septet_config config = config_for(&reports);
    config.slow_ms = 0;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_runs(host, script);
    assert_silent(&reports);
    char *text = log_of(septet_lua(host));
    assert_int_equal(septet_free(host), SEPTET_OK);
    return text;
}

/* Fails with the first line that differs. */
static void assert_same(const char *stock, const char *ours)
{
    const char *line = stock;
    for (size_t i = 0; stock[i] || ours[i]; i++) {
        if (stock[i] != ours[i])
            fail_msg("stock Lua says\n%.300s\nand a task\n%.300s", line, ours + (line - stock));
        if (stock[i] == '\n')
            line = stock + i + 1;
    }
}

static void test_t_s_each_function_is_as_stock(void **state)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        char *stock = stock_log(scripts[i]), *ours = task_log(scripts[i]);
        assert_true(strlen(stock) > 200);
        assert_same(stock, ours);
        free(stock);
        free(ours);
    }
}

static void test_x_6_embedder_that_took_a_function_away_does_not_get_it_back(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, "debug.getinfo = nil coroutine.close = nil"), LUA_OK);
    septet_config config = config_for(&reports);
    config.lua = L;
    septet_host *host = septet_new(&config, NULL);
    assert_non_null(host);
    assert_runs(host, "n = (debug.getinfo or coroutine.close) and 1 or 2");
    assert_int_equal(global(L, "n"), 2);
    assert_int_equal(septet_free(host), SEPTET_OK);
    lua_close(L);
}

static void test_x_6_second_host_of_a_state_has_stock_functions_too(void **state)
{
    struct reports reports;
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    for (int i = 0; i < 3; i++) {
        septet_config config = config_for(&reports);
        config.lua = L;
        septet_host *host = septet_new(&config, NULL);
        assert_non_null(host);
        assert_runs(host, scripts[1]);
        char *stock = stock_log(scripts[1]), *ours = log_of(L);
        assert_same(stock, ours);
        free(stock);
        free(ours);
        assert_int_equal(septet_free(host), SEPTET_OK);
    }
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t_s_each_function_is_as_stock),
        cmocka_unit_test(test_x_6_embedder_that_took_a_function_away_does_not_get_it_back),
        cmocka_unit_test(test_x_6_second_host_of_a_state_has_stock_functions_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
