-- SPDX-License-Identifier: MIT
-- Spawning and awaiting, and what a task has from its spawner.
local task = require "septet.task"
local sync = require "septet.sync"
local command, helpers = require "command", require "helpers"

local recorder, stopwatch = helpers.recorder, helpers.stopwatch
local never, fail = helpers.never, helpers.fail
local has = helpers.has
local run = command.run

in_order("spawn.deferred: the spawner runs on first, then its tasks start in order", function()
  local log, note = recorder()
  for i = 1, 3 do task.spawn(note, i) end
  task.spawn(function()
    task.spawn(note, "grandchild")
    note "child"
  end)
  task.spawn(note, "last")
  note "parent"
  task.checkpoint()
  note "parent again"
  task.checkpoint()
  equal(log, { "parent", 1, 2, 3, "child", "last", "parent again", "grandchild" })
end)

it("spawn.args_returns: all arguments and all results are passed on, nils included", function()
  local got
  local function fn(...)
    got = table.pack(...)
    return nil, 2, nil
  end
  local t = task.spawn(fn, nil, "b", nil)
  equal(table.pack(t:await()), { n = 3, nil, 2, nil })
  equal(got, { n = 3, nil, "b", nil })
  equal(table.pack(t:result()), { n = 4, true, nil, 2, nil })
  equal(select("#", task.spawn(function(...) return ... end):await()), 0)
  local list = {}
  for i = 1, 1000 do list[i] = i end
  equal({ task.spawn(function(...) return ... end, table.unpack(list)):await() }, list)
  equal(table.pack(task.background(fn, 1):await()), { n = 3, nil, 2, nil })
  equal(got, { n = 1, 1 })
  local callable = setmetatable({}, { __call = function(_, a, b) return a + b end })
  equal(task.group(function(g) return g:spawn(callable, 3, 4):await() end), 7)
end)

it("spawn.non_function: a value that cannot be called is refused at the caller's line", function()
  local before = task.spawn(function() end)
  misuse("bad argument #1 to 'spawn' %(function expected, got nil%)", function()
    task.spawn(nil)
  end)
  misuse("function expected, got no value", function() task.spawn() end)
  misuse("function expected, got string", function() task.spawn "f" end)
  misuse("function expected, got table", function() task.spawn({}, print) end)
  misuse("function expected, got number", function() task.background(7) end)
  misuse("function expected, got boolean", function() task.map(true, { 1 }) end)
  task.group(function(g)
    misuse("bad argument #1 to 'spawn' %(function expected, got nil%)", function() g:spawn(nil) end)
  end)
  equal(task.spawn(function() end).id, before.id + 1) -- there was no other
end)

it("spawn.outside_task: outside of a task, spawning and waiting are refused", function()
  local outside = {}
  task.on_unhandled = function()
    outside = table.pack(pcall(function()
      equal(task.current(), nil)
      misuse("cannot spawn here: not inside a task", function() task.spawn(print) end)
      misuse("cannot spawn here: not inside a task", function() task.background(print) end)
      misuse("cannot open a scope here: not inside a task", function() task.group(print) end)
      misuse("cannot wait here: not inside a task", function() task.sleep(1) end)
    end))
  end
  task.spawn(function() task.spawn(fail, "x") end):await()
  equal(outside, { true, n = 1 })
  equal({
    run [[at_end = setmetatable({}, { __gc = function() print(pcall(task.spawn, print)) end })]],
  }, { "false\ts.lua:1: cannot spawn here: not inside a task\n", 0 })
end)

it("spawn.gc_pending: a task without a handle completes through any kind of wait", function()
  local ended = {}
  local event = sync.event()
  local waits = {
    checkpoint = function() task.checkpoint() end,
    sleep = function() task.sleep(1) end,
    event = function() event:wait() end,
    channel = function()
      local channel = sync.channel()
      task.spawn(function()
        task.sleep(1)
        channel:send "x"
      end)
      channel:recv()
    end,
    await = function() task.spawn(task.sleep, 1):await() end,
    gather = function()
      task.gather { function() task.sleep(1) end, task.background(task.sleep, 1) }
    end,
    group = function() task.group(function(g) g:spawn(task.sleep, 1) end) end,
    coroutine = function() coroutine.wrap(function() task.sleep(1) end)() end,
  }
  for name, wait in pairs(waits) do
    task.spawn(function()
      wait()
      ended[name] = true
    end)
    waits[name] = true
  end
  collectgarbage()
  turns(5)
  collectgarbage()
  collectgarbage()
  event:set()
  task.sleep(2)
  equal(ended, waits)
end)

it("await.twice: a second await returns the same values", function()
  local value = {}
  local t = task.spawn(function() return value, nil, 3 end)
  for _ = 1, 2 do
    local got = table.pack(t:await())
    equal(got, { n = 3, value, nil, 3 })
    equal(rawequal(got[1], value), true)
    collectgarbage()
  end
end)

in_order("await.many_waiters: all waiters of a task resume in order", function()
  local log, note = recorder()
  local elapsed = stopwatch()
  local target = task.spawn(function()
    task.sleep(1)
    return "value", nil, "more"
  end)
  local waiters = {}
  for i = 1, 5 do
    waiters[i] = task.spawn(function() note { i, elapsed(), table.pack(target:await()) } end)
  end
  task.checkpoint()
  waiters[3]:cancel() -- its place in the queue is left without a trace
  task.wait(waiters)
  local values = { n = 3, "value", nil, "more" }
  equal(log, { { 1, 0, values }, { 2, 0, values }, { 4, 0, values }, { 5, 0, values } })
  equal(elapsed(), 1)
end)

it("await.done_task_checkpoints: awaiting a task that has ended is a checkpoint", function()
  local done = task.spawn(function() return "value" end)
  equal(done:await(), "value")
  task.spawn(function()
    task.current():cancel()
    raises_error({ kind = "Cancelled" }, done.await, done)
  end):await()
  raises_error({ kind = "Timeout" }, task.timeout, 0, done.await, done)
  local ran = 0
  local other = task.spawn(function()
    while true do
      ran = ran + 1
      task.checkpoint()
    end
  end)
  for _ = 1, 1e5 do -- a loop over tasks that have ended lets other tasks run
    done:await()
    if ran > 5 then break end
  end
  equal(ran > 5, true, "turns of the other task")
  other:cancel()
end)

it("await.self: a task that awaits itself gets an error and no harm", function()
  local t
  t = task.spawn(function()
    misuse("a task cannot await itself", function() t:await() end)
    coroutine.wrap(function()
      misuse("a task cannot await itself", function() t:await() end)
    end)()
    task.sleep(1)
    return "unaffected"
  end)
  equal(t:await(), "unaffected")
end)

it("await.error_identity: each await raises the same error with its traceback", function()
  local thrown = { "mine" }
  local at = line() + 1
  local function raising_frame() error(thrown) end
  local t = task.spawn(function()
    task.sleep(1)
    raising_frame()
  end)
  local waiter = task.spawn(function() return select(2, pcall(t.await, t)) end)
  for _ = 1, 3 do equal(rawequal(raises(nil, t.await, t), thrown), true) end
  equal(rawequal(waiter:await(), thrown), true)
  equal(rawequal(select(2, t:result()), thrown), true)
  equal(thrown, { "mine" })
  equal(getmetatable(thrown), nil)
  has(t:traceback(), ("conformance/spawn_spec.lua:%d: in upvalue 'raising_frame'"):format(at))

  local ours = task.spawn(function() task.sleep(-1) end)
  equal(rawequal(raises(nil, ours.await, ours), raises(nil, ours.await, ours)), true)
  local none = task.spawn(function() error() end)
  equal(rawequal(raises("nil error", none.await, none), raises(nil, none.await, none)), true)
end)

it("await.cancelled_task: awaiting a cancelled task raises TaskCancelled", function()
  local t = task.spawn(never)
  t.name = "target"
  local waiter = task.spawn(function() t:await() end)
  turns(2)
  t:cancel "because"
  for _ = 1, 2 do
    local err = raises_error({ kind = "TaskCancelled", reason = "because" }, t.await, t)
    equal(rawequal(err.task, t), true)
    equal(tostring(err), "task 'target' was cancelled")
    equal(task.is_cancelled(err), false)
    equal(task.pcall(t.await, t), false) -- an error like others, not the way out
  end
  raises_error({ kind = "TaskCancelled", reason = "because" }, waiter.await, waiter)
  equal(waiter:status(), "failed")

  local orphan
  task.spawn(function()
    orphan = task.spawn(never)
    task.checkpoint()
  end):await()
  raises_error({ kind = "TaskCancelled" }, orphan.await, orphan)

  task.spawn(function()
    task.current():cancel "I"
    raises_error({ kind = "Cancelled", reason = "I" }, t.await, t) -- "I was" is not "it was"
  end):await()
end)

it("await.observer_cancel: cancelling a waiter leaves the awaited task running", function()
  local elapsed = stopwatch()
  local target = task.spawn(function()
    task.sleep(3)
    return "survived"
  end)
  local waiter = task.spawn(function() target:await() end)
  turns(2)
  waiter:cancel()
  raises_error({ kind = "TaskCancelled" }, waiter.await, waiter)
  equal(target:status(), "suspended")
  raises_error({ kind = "Timeout" }, task.timeout, 1, target.await, target)
  equal({ task.move_on_after(1, task.wait, { target }) }, { false })
  equal(target:status(), "suspended")
  equal(target:await(), "survived")
  equal(elapsed(), 3)
end)

it("name.default_set: a task is named for its function's place until a script names it", function()
  local at = line() + 1
  local function fn() task.sleep(1) end
  local t = task.spawn(fn)
  local default = ("%s:%d#%d"):format(debug.getinfo(1, "S").short_src, at, t.id)
  equal(t.name, default)
  equal(task.spawn(fn).name ~= default, true)
  t.name = "mine"
  equal(t.name, "mine")
  equal(tostring(t), "task 'mine' (pending)")
  t:cancel()
  raises("^task 'mine' was cancelled$", t.await, t)
  equal(t.name, "mine")
  misuse("string expected, got nil", function() t.name = nil end)
  misuse("string expected, got number", function() t.name = 7 end)
  task.spawn(function()
    task.current().name = "parent"
    equal(task.spawn(fn).name:find "parent", nil) -- a name is its own
  end):await()
  equal({ run "print(task.current().name, task.tree()[1].name)" }, { "main\tmain\n", 0 })
end)

it("locals.copy_on_spawn: a task starts with the locals that its spawner has then", function()
  local var = task.var "default"
  local function get() return var:get() end
  equal(get(), "default")
  var:set "parent"
  local t = task.spawn(get)
  local b = task.background(get)
  var:set "later" -- not what they were spawned with
  equal({ t:await(), b:await() }, { "parent", "parent" })
  equal(task.spawn(function() return task.spawn(get):await() end):await(), "later")
  equal(task.gather { get, task.spawn(get) }, { n = 2, "later", "later" })
  task.group(function(g)
    equal(g:spawn(get):await(), "later")
    equal(g:start(function(started) started(get()) end), "later")
    task.spawn(function()
      var:set "spawner's" -- in any task's group
      equal(g:spawn(get):await(), "spawner's")
    end):await()
  end)
  equal(var:with("lent", function() return task.spawn(get) end):await(), "lent")
  var:set { 1 }
  equal(rawequal(task.spawn(get):await(), var:get()), true) -- the copy is shallow
  var:set(nil)
  equal(task.spawn(get):await(), nil)
end)

it("locals.isolation: the spawner and the siblings of a task do not see its locals", function()
  local var, other = task.var(0), task.var(0)
  local function set(value)
    equal(var:get(), "parent's")
    var:set(value)
    task.sleep(1)
    equal(var:get(), value)
    var:set(value .. " again")
    return var:get()
  end
  var:set "parent's"
  local tasks = task.map(set, { "a", "b" })
  task.sleep(0.5)
  equal(var:get(), "parent's")
  var:set "parent's, later"
  equal({ tasks[1]:await(), tasks[2]:await() }, { "a again", "b again" })
  equal(var:get(), "parent's, later")
  equal(other:get(), 0)
  coroutine.wrap(function() var:set "in a coroutine" end)() -- which is no task
  equal(var:get(), "in a coroutine")

  local thrown = {}
  equal({ var:with("lent", function(...) return var:get(), ... end, 1, nil, 3) },
    { "lent", 1, nil, 3 })
  equal(rawequal(raises(nil, var.with, var, "lent", error, thrown), thrown), true)
  equal(var:get(), "in a coroutine")
  task.move_on_after(1, var.with, var, "lent", never)
  equal(var:get(), "in a coroutine")
end)
