/* The laws of awaiting an operation, each interleaving written by hand. */
#include "core/inspect.h"
#include "support/sched_fixture.h"

/* --- completing --- */

static void test_op_results_pass_through(void **state)
{
    start("log(fake 'a')");
    assert_int_equal(fixture.sched.live, 1);
    done("a", 7);
    run();
    assert_log("7 a");
    assert_counts("a", 1, 0, 1, 0);
}

static void test_op_arguments_stay_below_its_results(void **state)
{
    start("local t = {'x', fake('a')} ; log(t[1], t[2], t[3], #t)");
    done("a", 1);
    run();
    assert_log("x 1 a 3");
}

static void test_op_failed_status_reaches_push(void **state)
{
    fake_closing("a");
    start("log(fake 'a')");
    done("a", SEPTET_ECLOSED);
    run();
    assert_log("-8 a");
    assert_counts("a", 1, 0, 1, 1);
}

static unsigned count_records(enum spt_rec_kind kind)
{
    unsigned n = 0;
    uint64_t cursor = 0, lost = 0;
    struct spt_event e;
    while (spt_trace_read(&fixture.sched.trace, &cursor, &e, &lost))
        n += e.rec.kind == kind;
    return n;
}

static void test_op_done_inside_start_leaves_no_wait_record(void **state)
{
    fake("a")->done_in_start = true;
    fake_closing("b")->done_in_start = true;
    fake("b")->result = 5;
    start("log(fake 'a') log(fake 'b')");
    assert_log("0 a 5 b");
    assert_int_equal(count_records(SPT_REC_WAIT), 0);
    assert_int_equal(count_records(SPT_REC_RUN), 1);
    assert_counts("a", 1, 0, 1, 0);
    assert_counts("b", 1, 0, 1, 1);
    fake("c");
    start("fake 'c'");
    assert_int_equal(count_records(SPT_REC_WAIT), 1);
    done("c", 0);
    run();
}

static void test_op_that_fails_to_start_is_pushed_and_closed(void **state)
{
    fake("a")->start_fails = SEPTET_ENOMEM;
    fake_closing("b")->start_fails = SEPTET_EINVAL;
    start("log(fake 'a') log(fake 'b')");
    assert_log("-1 a -2 b");
    assert_counts("a", 1, 0, 1, 0);
    assert_counts("b", 1, 0, 1, 1);
}

/* Two tasks whose waits are over at once: how often did the other get a turn? */
static void inline_completions(int n, const char *expected)
{
    char code[256];
    fake("a")->done_in_start = true;
    snprintf(code, sizeof code, "for i = 1, %d do fake 'a' end log 'end'", n);
    spawn(code);
    spawn("log 'other'");
    run();
    assert_log(expected);
}

static void test_op_budget_of_inline_completions(void **state)
{
    inline_completions(128, "end other");
}

static void test_op_129_inline_completions_yield_once(void **state)
{
    inline_completions(129, "other end");
    assert_int_equal(count_records(SPT_REC_RUN), 3);
    assert_int_equal(count_records(SPT_REC_WAIT), 0);
}

static void test_op_258_inline_completions_yield_twice(void **state)
{
    inline_completions(258, "other end");
    assert_int_equal(count_records(SPT_REC_RUN), 4);
}

static void test_op_done_outside_the_drain_wakes(void **state)
{
    start("fake 'a'");
    unsigned wakes = fixture.wakes;
    done("a", 0);
    assert_int_equal(fixture.wakes, wakes + 1);
    run();
}

static void test_op_done_inside_the_drain_needs_no_wake(void **state)
{
    start("fake 'a'");
    spawn("done 'a'");
    unsigned wakes = fixture.wakes;
    run();
    assert_int_equal(fixture.wakes, wakes);
    assert_int_equal(fixture.sched.live, 0);
}

static void test_op_external_is_counted_while_it_waits(void **state)
{
    fake("a")->type.flags = SEPTET_OP_EXTERNAL;
    fake_closing("b")->type.flags = SEPTET_OP_EXTERNAL;
    fake("c")->type.flags = SEPTET_OP_EXTERNAL;
    fake("c")->done_in_start = true;
    start("fake 'c' A = core.spawn(fake, 'a') B = core.spawn(fake, 'b') fake 'd'");
    assert_int_equal(fixture.sched.external, 2);
    assert_false(spt_sched_deadlocked(&fixture.sched));
    done("a", 0);
    assert_int_equal(fixture.sched.external, 1);
    cancel("B", NULL);
    assert_int_equal(fixture.sched.external, 0);
    run();
    assert_true(spt_sched_deadlocked(&fixture.sched));
    done("d", 0);
    run();
}

static void test_op_describes_what_it_waits_for(void **state)
{
    char text[64];
    fake("a")->type.describe = fake_describe;
    struct spt_task *t = start("fake 'a' fake 'b'");
    spt_inspect_waits_for(t, text, sizeof text);
    assert_string_equal(text, "fake the a");
    done("a", 0);
    spt_inspect_waits_for(t, text, sizeof text);
    assert_string_equal(text, "");
    run();
    spt_inspect_waits_for(t, text, sizeof text);
    assert_string_equal(text, "fake");
    done("b", 0);
    run();
}

/* --- cancelling --- */

static void spawn_cancellable(void)
{
    start("T = core.spawn(function()\n"
          "  local ok, e = pcall(fake, 'a')\n"
          "  if ok then log 'ok' else log(kind(e), e.source, e.reason or '-') end\n"
          "  log(try(fake, 'b'))\n"
          "end)\n"
          "fake 'main'");
}

static void end_cancellable(void)
{
    done("main", 0);
    run();
}

static void test_op_cancelled_while_waiting(void **state)
{
    fake_closing("a");
    spawn_cancellable();
    cancel("T", "enough");
    assert_counts("a", 1, 1, 0, 1);
    run();
    assert_log("Cancelled cancel enough Cancelled");
    assert_counts("b", 0, 0, 0, 0);
    end_cancellable();
}

static void test_op_without_close_cancelled_while_waiting(void **state)
{
    spawn_cancellable();
    cancel("T", NULL);
    assert_counts("a", 1, 1, 0, 0);
    run();
    assert_log("Cancelled cancel - Cancelled");
    end_cancellable();
}

static void test_op_done_then_cancelled_keeps_its_result(void **state)
{
    fake_closing("a");
    spawn_cancellable();
    done("a", 3);
    cancel("T", NULL);
    assert_counts("a", 1, 0, 0, 0);
    run();
    assert_log("ok Cancelled");
    assert_counts("a", 1, 0, 1, 1);
    assert_counts("b", 0, 0, 0, 0);
    end_cancellable();
}

static void test_op_cancelled_twice_keeps_the_first_reason(void **state)
{
    fake_closing("a");
    spawn_cancellable();
    assert_true(spt_scope_cancel(&task("T")->root, "cancel", "first"));
    assert_false(spt_scope_cancel(&task("T")->root, "deadline", "second"));
    assert_counts("a", 1, 1, 0, 1);
    run();
    assert_log("Cancelled cancel first Cancelled");
    end_cancellable();
}

static void test_op_cancelled_while_it_yields_with_a_result_keeps_it(void **state)
{
    fake_closing("a")->done_in_start = true;
    spawn("T = core.current() for i = 1, 129 do fake 'a' end log 'kept' log(try(fake, 'a'))");
    spawn("T:cancel()");
    run();
    assert_log("kept Cancelled");
    assert_counts("a", 129, 0, 129, 129);
}

static void test_op_of_a_task_cancelled_before_its_start_never_starts(void **state)
{
    spawn("T = core.spawn(function() log 'body' ; log(try(fake, 'a')) end) ; T:cancel()\n"
          "log(T:status())");
    run();
    assert_log("pending body Cancelled");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_refused_is_neither_started_nor_closed(void **state)
{
    fake_closing("a");
    spawn("core.current():cancel() log(try(fake, 'a'), try(fake, 'a'))");
    run();
    assert_log("Cancelled Cancelled");
    assert_counts("a", 0, 0, 0, 0);
    assert_int_equal(count_records(SPT_REC_WAIT), 0);
}

static void test_op_refused_in_a_retry_loop_lets_others_run(void **state)
{
    spawn("core.current():cancel()\n"
          "for i = 1, 50 do if pcall(fake, 'a') then log 'started' end seen = i end");
    spawn("for i = 1, 10 do core.checkpoint() end log(seen < 50)");
    run();
    assert_log("true");
}

static void on_cancel_done_b(struct fake *f)
{
    done("b", 0);
}

/* A lock that is given to the next waiter when the first gives up. */
static void test_op_cancel_may_complete_another(void **state)
{
    fake("a")->on_cancel = on_cancel_done_b;
    start("A = core.spawn(fake, 'a') B = core.spawn(fake, 'b') log(try(B.await, B))");
    cancel("A", NULL);
    run();
    assert_log("ok");
}

/* --- an error in push --- */

static void test_op_push_that_raises_closes_first(void **state)
{
    fake_closing("a")->push_raises = true;
    start("local ok, e = pcall(fake, 'a') log(ok, e) fake 'b'");
    done("a", 0);
    run();
    assert_log("false push of a");
    assert_counts("a", 1, 0, 1, 1);
    done("b", 0);
    run();
}

static void test_op_large_is_cancelled_pushed_and_closed(void **state)
{
    fake_large("a");
    start("T = core.spawn(function() log(fake 'a') log(try(fake, 'a')) end) pcall(T.await, T)");
    done("a", 2);
    run();
    cancel("T", NULL);
    run();
    assert_log("2 a Cancelled");
    assert_counts("a", 2, 1, 1, 2);
}

static void test_op_large_whose_push_raises_closes_first(void **state)
{
    fake_large("a")->push_raises = true;
    start("local ok, e = pcall(fake, 'a') log(ok, e)");
    done("a", 0);
    run();
    assert_log("false push of a");
    assert_counts("a", 1, 0, 1, 1);
}

static void test_op_push_that_raises_without_close(void **state)
{
    fake("a")->push_raises = true;
    start("local ok, e = pcall(fake, 'a') log(ok, e) fake 'a'");
    done("a", 0);
    run();
    assert_log("false push of a");
    fake("a")->push_raises = false;
    done("a", 0);
    run();
    assert_counts("a", 2, 0, 2, 0);
}

static void test_op_push_that_raises_inside_start(void **state)
{
    fake_closing("a")->push_raises = true;
    fake("a")->done_in_start = true;
    start("local ok, e = pcall(fake, 'a') log(ok, e)");
    assert_log("false push of a");
    assert_counts("a", 1, 0, 1, 1);
}

static void push_without_memory(lua_State *L)
{
    fail_memory(1, 1000000);
    lua_newuserdatauv(L, 1000, 0);
    lua_pop(L, 1);
}

static void out_of_memory_in_push(void)
{
    fake("a")->on_push = push_without_memory;
    start("local ok, e = pcall(fake, 'a') log(ok, e) fake 'b'");
    done("a", 0);
    lap();
    mend_memory();
    run();
    assert_true(fixture.memory.failed > 0);
    assert_log("false not enough memory");
    done("b", 0);
    run();
}

static void test_op_out_of_memory_in_push_closes_first(void **state)
{
    fake_closing("a");
    out_of_memory_in_push();
    assert_counts("a", 1, 0, 1, 1);
}

static void test_op_out_of_memory_in_push_without_close(void **state)
{
    out_of_memory_in_push();
    assert_counts("a", 1, 0, 1, 0);
}

static void test_op_out_of_memory_before_start_starts_nothing(void **state)
{
    fake_closing("a");
    start("fake 'go' local ok, e = pcall(fake, 'a') log(ok, e)");
    done("go", 0);
    fail_memory(1, 1000000);
    lap();
    mend_memory();
    run();
    assert_log("false not enough memory");
    assert_counts("a", 0, 0, 0, 0);
}

/* --- its memory --- */

static void collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT);
}

static const char finalizer_that_waits[] =
    "setmetatable({}, {__gc = function() log(try(core.sleep, 1), try(fake, 'b'), "
    "try(core.checkpoint)) end})\n"
    "log(fake 'a')";

/* A finalizer may run in any allocation, and may try to wait: it is refused, and the operation that
 * was being pushed is none the worse for it. */
static void test_op_memory_survives_a_finalizer_that_tries_to_wait(void **state)
{
    fake("a")->on_push = collect;
    start(finalizer_that_waits);
    done("a", 4);
    run();
    assert_log("Usage Usage Usage 4 a");
    assert_counts("b", 0, 0, 0, 0);
}

static void test_op_memory_with_close_survives_a_finalizer_that_tries_to_wait(void **state)
{
    fake_closing("a")->on_push = collect;
    start(finalizer_that_waits);
    done("a", 4);
    run();
    assert_log("Usage Usage Usage 4 a");
}

static void test_op_memory_of_a_large_one_survives_a_finalizer_that_tries_to_wait(void **state)
{
    fake_large("a")->on_push = collect;
    start(finalizer_that_waits);
    done("a", 4);
    run();
    assert_log("Usage Usage Usage 4 a");
}

struct big_op {
    septet_op op;
    char bytes[SPT_SLOT_SIZE];
    unsigned nonzero;
};

static int big_start(septet_op *op)
{
    struct big_op *big = (struct big_op *)op;
    for (size_t i = 0; i < sizeof big->bytes; i++)
        big->nonzero += big->bytes[i] != 0;
    memset(big->bytes, 0xff, sizeof big->bytes);
    septet_op_done(op, (int)big->nonzero);
    return SEPTET_OK;
}

static void big_cancel(septet_op *op)
{
}

static int big_push(septet_op *op, lua_State *L)
{
    lua_pushinteger(L, op->status);
    return 1;
}

static const septet_op_type big_type = {.name = "big",
                                        .size = sizeof(struct big_op),
                                        .start = big_start,
                                        .cancel = big_cancel,
                                        .push = big_push};

static int l_big(lua_State *L)
{
    return septet_op_await(L, septet_op_new(L, &big_type));
}

static void test_op_larger_than_the_slot_is_zeroed(void **state)
{
    lua_register(fixture.L, "big", l_big);
    start("for i = 1, 3 do log(big()) collectgarbage() end");
    assert_log("0 0 0");
}

/* --- unwinding --- */

static void test_op_awaited_in_close_during_an_error(void **state)
{
    start("local function body()\n"
          "  local c <close> = closer(function(_, e) log('closing', (fake 'a')) end)\n"
          "  error('the error', 0)\n"
          "end\n"
          "local ok, e = pcall(body) log(ok, e)");
    assert_log("");
    done("a", 1);
    run();
    assert_log("closing 1 false the error");
}

static void test_op_awaited_in_close_of_a_task_that_fails(void **state)
{
    start("local c <close> = closer(function() log('closing', (fake 'a')) end)\n"
          "error('the error', 0)");
    assert_int_equal(fixture.sched.live, 1);
    done("a", 1);
    run();
    assert_log("closing 1");
    assert_unhandled("the error");
}

static void test_op_awaited_in_close_of_a_task_that_returns(void **state)
{
    start("T = core.spawn(function()\n"
          "  local c <close> = closer(function() fake 'a' end)\n"
          "  return 1, 2, 3\n"
          "end)\n"
          "log(T:await())");
    done("a", 0);
    run();
    assert_log("1 2 3");
}

static void test_op_awaited_in_close_when_cancelled_raises_at_once(void **state)
{
    start("T = core.spawn(function()\n"
          "  local c <close> = closer(function(_, e) log(kind(e), try(fake, 'b')) end)\n"
          "  fake 'a'\n"
          "end)\n"
          "log(try(T.await, T))");
    cancel("T", NULL);
    run();
    assert_log("Cancelled Cancelled TaskCancelled");
    assert_counts("b", 0, 0, 0, 0);
}

/* --- inside a script's own coroutines --- */

/* fake('a') below `depth` coroutines, made alternately by wrap and create. */
static void nest(int depth)
{
    char code[512];
    snprintf(code, sizeof code,
             "local function down(n)\n"
             "  if n == 0 then return fake 'a' end\n"
             "  if n %% 2 == 0 then return coroutine.wrap(down)(n - 1) end\n"
             "  local co = coroutine.create(down)\n"
             "  local r = table.pack(coroutine.resume(co, n - 1))\n"
             "  if not r[1] then error(r[2], 0) end\n"
             "  return table.unpack(r, 2, r.n)\n"
             "end\n"
             "T = core.spawn(function() log(down(%d)) end) log(try(T.await, T))",
             depth);
    start(code);
}

static void test_op_in_coroutines_passes_outward_at_every_depth(void **state)
{
    for (int depth = 1; depth <= 60; depth++) {
        nest(depth);
        assert_int_equal(fixture.sched.live, 2);
        done("a", depth);
        run();
        char expected[16];
        snprintf(expected, sizeof expected, "%d a ok", depth);
        assert_log(expected);
    }
    assert_counts("a", 60, 0, 60, 0);
}

static void test_op_in_coroutines_is_cancelled_at_every_depth(void **state)
{
    fake_closing("a");
    for (int depth = 1; depth <= 60; depth++) {
        nest(depth);
        cancel("T", NULL);
        run();
        assert_log("TaskCancelled");
    }
    assert_counts("a", 60, 60, 0, 60);
}

static void test_op_in_a_coroutine_keeps_the_scripts_own_yields(void **state)
{
    start(
        "local gen = coroutine.wrap(function(x)\n"
        "  log(x) fake 'a' log(coroutine.yield(1)) fake 'b' coroutine.yield(2) fake 'c' return 3\n"
        "end)\n"
        "log(gen('x')) log(gen('y')) log(gen())");
    assert_log("x");
    done("a", 0);
    run();
    assert_log("1 y");
    done("b", 0);
    run();
    assert_log("2");
    done("c", 0);
    run();
    assert_log("3");
}

static void test_op_done_inside_start_in_a_coroutine(void **state)
{
    fake("a")->done_in_start = true;
    nest(5);
    assert_log("0 a ok");
}

static void test_op_waiting_coroutine_is_not_resumed_by_another_task(void **state)
{
    start("co = coroutine.create(function() fake 'a' log 'mine' return 1 end)\n"
          "log(coroutine.resume(co))");
    start("local ok, e = coroutine.resume(co) log(ok, e)");
    assert_log("false cannot resume a coroutine that waits in a task");
    start("log(pcall(coroutine.wrap(function() return coroutine.resume(co) end)))");
    assert_log("true false cannot resume a coroutine that waits in a task");
    done("a", 0);
    run();
    assert_log("mine true 1");
}

static void test_op_waiting_wrapped_coroutine_is_not_called_by_another_task(void **state)
{
    start("gen = coroutine.wrap(function() fake 'a' return 1 end) log(gen())");
    start("local ok, e = pcall(gen) log(ok, e)");
    assert_log_has("waits in a task");
    clear_log();
    done("a", 0);
    run();
    assert_log("1");
}

static void test_op_waiting_coroutine_is_not_closed_by_another_task(void **state)
{
    start("co = coroutine.create(function() fake 'a' return 1 end) log(coroutine.resume(co))");
    start("local ok, e = pcall(coroutine.close, co) log(ok, kind(e))");
    assert_log("false Usage");
    done("a", 0);
    run();
    assert_log("true 1");
}

/* --- where nothing can wait --- */

/* Each is a way to call fake 'a' where it cannot be suspended; the error names the one in the
 * way. */
static void refuses(const char *code, const char *named)
{
    char text[1024];
    snprintf(text, sizeof text,
             "local function wait() return fake 'a' end\n"
             "local ok, e = pcall(function() %s end)\n"
             "log(kind(e), tostring(type(e) == 'table' and e.message or e))",
             code);
    start(text);
    assert_log_has("Usage");
    assert_log_has(named);
    assert_counts("a", 0, 0, 0, 0);
    clear_log();
}

static void test_op_refused_below_c_functions_names_them(void **state)
{
    refuses("table.sort({3, 2, 1}, wait)", "called from 'table.sort'");
    refuses("string.gsub('x', '.', wait)", "called from 'string.gsub'");
    refuses("('x'):gsub('.', wait)", "called from 'string.gsub'");
    refuses("package.preload.x = wait require 'x'", "called from 'require'");
    refuses("tostring(setmetatable({}, {__tostring = wait}))", "called from 'tostring'");
    refuses("assert(load(wait))", "called from 'load'");
    refuses("in_c(wait)", "called from 'in_c'");
}

static void test_op_refused_below_c_functions_in_coroutines_names_them(void **state)
{
    refuses("table.sort({3, 2, 1}, coroutine.wrap(wait))", "called from 'table.sort'");
    refuses("local gen = coroutine.wrap(wait) table.sort({3, 2, 1}, function() gen() end)",
            "called from 'table.sort'");
    refuses("string.gsub('x', '.', function() assert(coroutine.resume(coroutine.create(function()\n"
            "  assert(coroutine.resume(coroutine.create(wait))) end))) end)",
            "called from 'string.gsub'");
    refuses("coroutine.wrap(function() table.sort({3, 2, 1}, wait) end)()",
            "called from 'table.sort'");
}

static void test_op_refused_in_a_message_handler(void **state)
{
    start("xpcall(error, function() local ok, e = pcall(fake, 'a') log(kind(e)) end)");
    assert_log("Usage");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_refused_in_a_finalizer(void **state)
{
    start("setmetatable({}, {__gc = function()\n"
          "  local ok, e = pcall(fake, 'a') log(kind(e), e.message)\n"
          "end}) collectgarbage()");
    assert_log_has("called from a finalizer");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_refused_in_a_hook(void **state)
{
    start("local e\n"
          "debug.sethook(function() debug.sethook() local _ _, e = pcall(fake, 'a') end, 'l')\n"
          "local x = 1\n"
          "log(kind(e), e.message)");
    assert_log_has("called from a hook");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_in_a_lua_metamethod_waits(void **state)
{
    start("local t = setmetatable({}, {__index = function(_, k) return (fake(k)) end,\n"
          "  __add = function() return (fake 'b') end})\n"
          "log(t.a, t + t)");
    done("a", 1);
    run();
    done("b", 2);
    run();
    assert_log("1 2");
}

static void test_op_in_a_coroutine_that_c_resumed_is_refused(void **state)
{
    start("local ok, e = raw_resume(coroutine.create(function() fake 'a' end))\n"
          "log(ok, kind(e), e.message) log(fake 'b')");
    assert_log_has("false Usage");
    assert_log_has("resumed by C code that septet does not know");
    clear_log();
    done("b", 0);
    run();
    assert_log("0 b");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_in_a_coroutine_below_one_that_c_resumed_is_refused(void **state)
{
    start("local ok, e = raw_resume(coroutine.create(function()\n"
          "  coroutine.wrap(function() fake 'a' end)()\n"
          "end))\n"
          "log(ok, kind(e), e.message)");
    assert_log_has("false Usage");
    assert_log_has("resumed by C code that septet does not know");
    assert_counts("a", 0, 0, 0, 0);
}

static void test_op_outside_a_task_is_refused(void **state)
{
    script("local ok, e = pcall(fake, 'a') log(ok, kind(e), e.message)");
    assert_log_has("false Usage");
    assert_log_has("not inside a task");
    clear_log();
    script("log(try(coroutine.wrap(function() fake 'a' end)), try(core.sleep, 1), "
           "try(core.checkpoint))");
    assert_log("Usage Usage Usage");
    assert_counts("a", 0, 0, 0, 0);
}

/* --- the end of the host --- */

static void test_op_is_refused_when_the_host_closes(void **state)
{
    start("log(try(fake, 'a')) log(try(fake, 'b'))");
    fixture.sched.shutting_down = true;
    spt_scope_cancel(SPT_OF(fixture.sched.main_scope.children.next, struct spt_scope, sibling),
                     "shutdown", NULL);
    run();
    assert_log("Cancelled Cancelled");
    assert_counts("b", 0, 0, 0, 0);
}

static void test_op_task_that_absorbs_the_end_is_abandoned(void **state)
{
    start("local c <close> = closer(function() log 'closed' end)\n"
          "while true do pcall(fake, 'a') n = (n or 0) + 1 end");
    start("log(try(fake, 'b'))");
    fixture.sched.shutting_down = true;
    for (struct spt_link *l = fixture.sched.main_scope.children.next;
         l != &fixture.sched.main_scope.children; l = l->next)
        spt_scope_cancel(SPT_OF(l, struct spt_scope, sibling), "shutdown", NULL);
    run();
    assert_log("Cancelled closed");
    assert_int_equal(fixture.sched.live, 0);
    assert_counts("a", 1, 1, 0, 0);
    assert_unhandled("?");
    script("log(n)");
    assert_log("101");
}

static void test_op_task_with_children_that_absorbs_the_end_is_abandoned(void **state)
{
    start(
        "core.spawn(function() local c <close> = closer(function() log 'child' end) fake 'b' end)\n"
        "coroutine.wrap(function() while true do pcall(fake, 'a') end end)()");
    fixture.sched.shutting_down = true;
    spt_scope_cancel(SPT_OF(fixture.sched.main_scope.children.next, struct spt_scope, sibling),
                     "shutdown", NULL);
    run();
    assert_log("child");
    assert_int_equal(fixture.sched.live, 0);
    assert_unhandled("?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_op_results_pass_through),
        TEST(test_op_arguments_stay_below_its_results),
        TEST(test_op_failed_status_reaches_push),
        TEST(test_op_done_inside_start_leaves_no_wait_record),
        TEST(test_op_that_fails_to_start_is_pushed_and_closed),
        TEST(test_op_budget_of_inline_completions),
        TEST(test_op_129_inline_completions_yield_once),
        TEST(test_op_258_inline_completions_yield_twice),
        TEST(test_op_done_outside_the_drain_wakes),
        TEST(test_op_done_inside_the_drain_needs_no_wake),
        TEST(test_op_external_is_counted_while_it_waits),
        TEST(test_op_describes_what_it_waits_for),
        TEST(test_op_cancelled_while_waiting),
        TEST(test_op_without_close_cancelled_while_waiting),
        TEST(test_op_done_then_cancelled_keeps_its_result),
        TEST(test_op_cancelled_twice_keeps_the_first_reason),
        TEST(test_op_cancelled_while_it_yields_with_a_result_keeps_it),
        TEST(test_op_of_a_task_cancelled_before_its_start_never_starts),
        TEST(test_op_refused_is_neither_started_nor_closed),
        TEST(test_op_refused_in_a_retry_loop_lets_others_run),
        TEST(test_op_cancel_may_complete_another),
        TEST(test_op_push_that_raises_closes_first),
        TEST(test_op_large_is_cancelled_pushed_and_closed),
        TEST(test_op_large_whose_push_raises_closes_first),
        TEST(test_op_push_that_raises_without_close),
        TEST(test_op_push_that_raises_inside_start),
        TEST(test_op_out_of_memory_in_push_closes_first),
        TEST(test_op_out_of_memory_in_push_without_close),
        TEST(test_op_out_of_memory_before_start_starts_nothing),
        TEST(test_op_memory_survives_a_finalizer_that_tries_to_wait),
        TEST(test_op_memory_with_close_survives_a_finalizer_that_tries_to_wait),
        TEST(test_op_memory_of_a_large_one_survives_a_finalizer_that_tries_to_wait),
        TEST(test_op_larger_than_the_slot_is_zeroed),
        TEST(test_op_awaited_in_close_during_an_error),
        TEST(test_op_awaited_in_close_of_a_task_that_fails),
        TEST(test_op_awaited_in_close_of_a_task_that_returns),
        TEST(test_op_awaited_in_close_when_cancelled_raises_at_once),
        TEST(test_op_in_coroutines_passes_outward_at_every_depth),
        TEST(test_op_in_coroutines_is_cancelled_at_every_depth),
        TEST(test_op_in_a_coroutine_keeps_the_scripts_own_yields),
        TEST(test_op_done_inside_start_in_a_coroutine),
        TEST(test_op_waiting_coroutine_is_not_resumed_by_another_task),
        TEST(test_op_waiting_wrapped_coroutine_is_not_called_by_another_task),
        TEST(test_op_waiting_coroutine_is_not_closed_by_another_task),
        TEST(test_op_refused_below_c_functions_names_them),
        TEST(test_op_refused_below_c_functions_in_coroutines_names_them),
        TEST(test_op_refused_in_a_message_handler),
        TEST(test_op_refused_in_a_finalizer),
        TEST(test_op_refused_in_a_hook),
        TEST(test_op_in_a_lua_metamethod_waits),
        TEST(test_op_in_a_coroutine_that_c_resumed_is_refused),
        TEST(test_op_in_a_coroutine_below_one_that_c_resumed_is_refused),
        TEST(test_op_outside_a_task_is_refused),
        TEST(test_op_is_refused_when_the_host_closes),
        TEST(test_op_task_that_absorbs_the_end_is_abandoned),
        TEST(test_op_task_with_children_that_absorbs_the_end_is_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
