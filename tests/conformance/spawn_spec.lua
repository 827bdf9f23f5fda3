-- Spawning and awaiting, what becomes of tasks and failures that nobody waits for, and a whole run.
local task = require "septet.task"
local sync = require "septet.sync"
local command, helpers = require "command", require "helpers"

local recorder, stopwatch = helpers.recorder, helpers.stopwatch
local never, fail = helpers.never, helpers.fail
local has, count = helpers.has, helpers.count
local run = command.run

in_order("spawn.deferred", function()
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

it("spawn.args_returns", function()
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

it("spawn.non_function", function()
  local before = task.spawn(function() end)
  misuse("bad argument #1 to 'spawn' %(function expected, got nil%)", function() task.spawn(nil) end)
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

it("spawn.outside_task", function()
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
  equal({ run [[at_end = setmetatable({}, { __gc = function() print(pcall(task.spawn, print)) end })]] },
    { "false\ts.lua:1: cannot spawn here: not inside a task\n", 0 })
end)

it("spawn.gc_pending", function()
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
    gather = function() task.gather { function() task.sleep(1) end, task.background(task.sleep, 1) } end,
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

it("await.twice", function()
  local value = {}
  local t = task.spawn(function() return value, nil, 3 end)
  for _ = 1, 2 do
    local got = table.pack(t:await())
    equal(got, { n = 3, value, nil, 3 })
    equal(rawequal(got[1], value), true)
    collectgarbage()
  end
end)

in_order("await.many_waiters", function()
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

it("await.done_task_checkpoints", function()
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
  for _ = 1, 1000 do done:await() end -- a loop over tasks that have ended starves nobody
  equal(ran > 5, true, "turns of the other task")
  other:cancel()
end)

it("await.self", function()
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

it("await.error_identity", function()
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

it("await.cancelled_task", function()
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

it("await.observer_cancel", function()
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

it("unhandled.at_scope_close", function()
  local log, note = recorder()
  local told = {}
  task.on_unhandled = function(t, err, traceback)
    note("told of " .. err)
    told[err] = { t, traceback }
  end
  local function failing_frame(what)
    error(what, 0)
  end
  local child
  equal(task.timeout(10, function()
    child = task.spawn(failing_frame, "the block's")
    turns(5)
    collectgarbage()
    note("child " .. child:status())
    return "value"
  end), "value")
  note "block closed"
  turns(1)
  task.spawn(function()
    task.spawn(failing_frame, "the task's")
    turns(5)
    note "task returns"
  end):await()
  note "task ended"
  turns(1)
  task.background(failing_frame, "the run's") -- whose scope is open to the end
  turns(3)
  note "end"
  equal(log, {
    "child failed", "block closed", "told of the block's",
    "task returns", "told of the task's", "task ended",
    "told of the run's", "end",
  })
  equal(rawequal(told["the block's"][1], child), true)
  has(told["the block's"][2], "in function <.*spawn_spec.lua:%d+>.*\n\tspawned at .*spawn_spec.lua:%d+ by #%d+$")
end)

it("unhandled.not_if_awaited", function()
  local told, note = recorder()
  task.on_unhandled = function(_, err) note(err) end
  task.timeout(10, function()
    local awaited, result, twice, elsewhere = task.spawn(fail, 1), task.spawn(fail, 2), task.spawn(fail, 3),
      task.background(function(t) pcall(t.await, t) end, task.spawn(fail, 4))
    pcall(awaited.await, awaited)
    turns(3)
    result:result()
    pcall(twice.await, twice)
    pcall(twice.await, twice)
    elsewhere:await()
    pcall(task.gather, { task.spawn(fail, 5), never })
    pcall(task.group, function(g) g:spawn(fail, 6) end)
  end)
  -- By who waits outside, where its owner ends with it.
  local last
  local owner = task.spawn(function()
    last = task.spawn(function()
      pcall(never)
      error("last", 0)
    end)
    task.sleep(1)
  end)
  turns(2)
  raises("^last$", last.await, last)
  owner:await()
  turns(2)
  equal(told, {})

  -- Its handle in somebody's hands, or a waiter that has gone, is no one who knows.
  task.timeout(10, function()
    task.wait { task.spawn(fail, "waited for") }
    for t in task.as_completed { task.spawn(fail, "completed") } do t:status() end
    local left = task.spawn(function()
      task.sleep(1)
      error("left alone", 0)
    end)
    task.move_on_after(0.5, left.await, left)
    task.sleep(1)
  end)
  turns(2)
  equal(told, { "waited for", "completed", "left alone" })
end)

it("unhandled.not_if_cancelled", function()
  local told, note = recorder()
  task.on_unhandled = function(_, err) note(err) end
  task.spawn(function()
    local waiting = task.spawn(never)
    task.spawn(never):cancel() -- before it starts
    local rethrows = task.spawn(function()
      local _, err = pcall(never)
      task.checkpoint()
      error(err, 0)
    end)
    local returns = task.spawn(pcall, never)
    task.spawn(never) -- until its owner ends
    turns(1)
    waiting:cancel()
    rethrows:cancel()
    returns:cancel()
    turns(3)
    for _, t in ipairs { waiting, rethrows } do equal(t:status(), "cancelled") end
    equal(returns:status(), "done")
  end):await()
  turns(2)
  equal(told, {})

  task.spawn(function()
    local t = task.spawn(function()
      pcall(never)
      error("cleanup broke", 0)
    end)
    turns(1)
    t:cancel()
  end):await()
  turns(2)
  equal(told, { "cleanup broke" })
end)

it("orphan.cancelled_at_owner_end", function()
  local log, note = recorder()
  local elapsed = stopwatch()
  local orphan, grandchild
  local function spawn_orphan()
    orphan = task.spawn(function()
      grandchild = task.spawn(never)
      local _, err = pcall(never)
      note(("cancelled by its %s at %g s"):format(err.source, elapsed()))
      task.cleanup(5, task.sleep, 1)
      note "cleaned up"
      error(err, 0)
    end)
    task.sleep(1)
    note "owner ends"
  end
  local function check(owner, ...)
    equal({ pcall(owner.await, owner) }, { ... })
    equal(elapsed(), 2)
    equal({ orphan:status(), grandchild:status() }, { "cancelled", "cancelled" })
    equal(log, { "owner ends", "cancelled by its owner at 1 s", "cleaned up" })
  end
  check(task.spawn(function()
    spawn_orphan()
    return "value"
  end), true, "value")

  log, note = recorder()
  elapsed = stopwatch()
  check(task.spawn(function()
    spawn_orphan()
    error("failure", 0)
  end), false, "failure")

  -- One that never ran gets to its first wait, as any task that is cancelled.
  log, note = recorder()
  task.spawn(function()
    orphan = task.spawn(function()
      note "started"
      task.sleep(0)
      note "too far"
    end)
  end):await()
  equal(log, { "started" })
  equal(orphan:status(), "cancelled")
end)

it("orphan.background_survives_owner", function()
  local background
  local owner = task.spawn(function()
    background = task.background(function()
      task.sleep(2)
      return "survived"
    end)
    task.sleep(1)
  end)
  owner:await()
  equal(background:status(), "suspended")
  owner = task.spawn(never)
  owner:cancel()
  task.wait { owner }
  equal(background:await(), "survived")

  equal({ run [[
task.spawn(function()
  task.background(function()
    local _, err = pcall(task.sleep, 1000)
    say(err.source)
    task.cleanup(5, task.sleep, 1)
    say "cleaned up"
    error(err, 0)
  end)
end):await()
say "owner ended"
task.sleep(2)
say "main ends"]] }, { "0 s:\towner ended\n2 s:\tmain ends\n2 s:\towner\n3 s:\tcleaned up\n", 0 })
end)

it("run.error", function()
  local out, status = run [[
local _ <close> = setmetatable({}, { __close = function()
  task.cleanup(5, task.sleep, 1)
  say "closed"
end })
task.spawn(function()
  local _, err = pcall(task.sleep, 1000)
  say(err.source)
  error(err, 0)
end)
local function failing_frame() error "broken" end
task.sleep(1)
failing_frame()
say "not reached"]]
  equal(status, 1)
  has(out, "^2 s:\tclosed\n2 s:\towner\nseptet: s.lua:10: broken\nstack traceback:\n.*'failing_frame'.*s.lua:12: ")
  equal(count(out, "broken"), 1)

  out, status = run "error { code = 7 }"
  equal(status, 1)
  has(out, "^septet: %(error object is a table value%): { code = 7 }\n")
  out, status = run "error()"
  equal(status, 1)
  has(out, "^septet: nil error\n")
  out, status = run "task.current():cancel 'enough' task.sleep(1)"
  equal({ status, out }, { 1, "septet: cancelled: enough\n" })
  equal({ run "pcall(error, 'handled') pcall(task.gather, { function() error 'handled' end })" }, { "", 0 })
end)

it("run.hanging_tasks", function()
  equal({ run [[
local function hang(name, last, ...)
  local child = ... and task.spawn(hang, ...)
  local _, err = pcall(task.sleep, 1000)
  task.cleanup(5, task.sleep, last)
  say(name, err.source, child and child:status())
  error(err, 0)
end
task.background(hang, "background", 1)
task.spawn(hang, "child", 2, "grandchild", 1)
task.sleep(1)
say "main ends"]] }, { [[
1 s:	main ends
2 s:	grandchild	owner	nil
3 s:	child	owner	cancelled
4 s:	background	owner	nil
]], 0 })
end)

it("run.hanging_task_errors", function()
  local out, status = run [[
local function hang(name)
  pcall(task.sleep, 1000)
  error(name .. " broke", 0)
end
task.background(hang, "background")
task.spawn(hang, "child")
task.spawn(error, "early", 0)
task.sleep(1)
say "main ends"]]
  equal(status, 1)
  has(out, "^1 s:\tmain ends\nseptet: unhandled error in task '%[C%]#%d+': early\n")
  has(out, "\nseptet: unhandled error in task 's.lua:1#%d+': child broke\nstack traceback:\n")
  has(out, "\nseptet: unhandled error in task 's.lua:1#%d+': background broke\nstack traceback:\n")
  equal(count(out, "unhandled error"), 3)
end)

-- Only C can ask for a run, and is refused (tests/api): a script has nothing to ask with.
it("run.nested", function()
  for name, module in pairs(package.loaded) do
    for key in pairs(name:find "^septet" and module or {}) do
      local asks = key == "run" or key == "run_until" or key == "step" or key == "loop"
      equal(asks, false, ("%s.%s"):format(name, key))
    end
  end
end)

it("run.deadlock", function()
  local out, status = run [[
local _ <close> = setmetatable({}, { __close = function() say "closed" end })
local first, second
first = task.spawn(function() second:await() end)
second = task.spawn(function() first:await() end)
task.background(function() sync.event():wait() end)
task.spawn(function() sync.channel():recv() end)
task.sleep(1)
first:await()
say "not reached"]]
  equal(status, 4)
  has(out, "^septet: warning: deadlock: all 5 tasks wait and nothing can wake them\n")
  has(out, "\nseptet: warning: #1 main  waits for join #2 s.lua:3#2  s.lua:8\n")
  has(out, "\nseptet: warning: #2 s.lua:3#2  waits for join #3 s.lua:4#3  s.lua:3\n")
  has(out, "\nseptet: warning: #3 s.lua:4#3  waits for join #2 s.lua:3#2  s.lua:4\n")
  has(out, "\nseptet: warning: #4 s.lua:5#4  waits for event  s.lua:5\n")
  has(out, "\nseptet: warning: #5 s.lua:6#5  waits for recv %(capacity 0%)  s.lua:6\n")
  has(out, "\nseptet: warning: in a circle: 's.lua:3#2' %-> 's.lua:4#3' %-> 's.lua:3#2'\n")
  has(out, "\n1 s:\tclosed\n$")
  equal(count(out, "\n"), 8)
  equal({ run [[
local main = task.current()
task.spawn(function() main:await() end)
task.sleep(1000) -- a timer can wake it
say "done"]] }, { "1000 s:\tdone\n", 0 })
end)

it("name.default_set", function()
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

it("locals.copy_on_spawn", function()
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
      var:set "spawner's" -- whoever's group it is
      equal(g:spawn(get):await(), "spawner's")
    end):await()
  end)
  equal(var:with("lent", function() return task.spawn(get) end):await(), "lent")
  var:set { 1 }
  equal(rawequal(task.spawn(get):await(), var:get()), true) -- the copy is shallow
  var:set(nil)
  equal(task.spawn(get):await(), nil)
end)

it("locals.isolation", function()
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
  equal({ var:with("lent", function(...) return var:get(), ... end, 1, nil, 3) }, { "lent", 1, nil, 3 })
  equal(rawequal(raises(nil, var.with, var, "lent", error, thrown), thrown), true)
  equal(var:get(), "in a coroutine")
  task.move_on_after(1, var.with, var, "lent", never)
  equal(var:get(), "in a coroutine")
end)
