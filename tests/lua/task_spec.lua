-- septet.task: spawning, awaiting, cancelling, and what becomes of tasks and errors that nobody waits for.
local task = require "septet.task"
local helpers = require "helpers"

local never, recorder = helpers.never, helpers.recorder

describe("spawn", function()
  it("defers: the parent goes on first, children start in their order", function()
    local order, note = recorder()
    for i = 1, 3 do
      task.spawn(note, i)
    end
    note "parent"
    turns(1)
    equal(order, { "parent", 1, 2, 3 })
  end)

  it("passes arguments and returns, nils in the middle and at the end included", function()
    local got
    local t = task.spawn(function(...)
      got = table.pack(...)
      return nil, 2, nil
    end, nil, "b", nil, nil)
    local values = table.pack(t:await())
    equal(got, { n = 4, nil, "b" })
    equal(values, { n = 3, nil, 2 })
  end)

  it("passes no value, and thousands", function()
    local none = task.spawn(function(...)
      return ...
    end)
    equal(select("#", none:await()), 0)
    local many = {}
    for i = 1, 5000 do many[i] = i end
    local t = task.spawn(function(...) return ... end, table.unpack(many))
    equal({ t:await() }, many)
    equal({ select(2, t:result()) }, many)
  end)

  it("takes whatever can be called", function()
    local callable = setmetatable({}, { __call = function(_, a, b) return a + b end })
    equal(task.spawn(callable, 3, 4):await(), 7)
    equal(task.spawn(math.max, 3, 4):await(), 4)
    task.spawn(task.sleep, 0):await()
  end)

  it("refuses what cannot be called, at the caller's line", function()
    misuse("bad argument #1 to 'spawn' %(function expected, got nil%)", function() task.spawn(nil) end)
    misuse("got table", function() task.spawn({}) end)
    misuse("got no value", function() task.spawn() end)
    misuse("got string", function() task.background("f") end)
    misuse("got number", function() task.map(7, {}) end)
    misuse("list expected, got nil", function() task.map(print) end)
  end)

  it("keeps a task alive that nobody holds", function()
    local ended = false
    local open = gate()
    task.spawn(function()
      open.wait()
      ended = true
    end)
    turns(2)
    collectgarbage()
    collectgarbage()
    open.open()
    turns(3)
    equal(ended, true)
  end)

  it("runs ten thousand tasks, each of which ends", function()
    local ended = 0
    local tasks = {}
    for i = 1, 10000 do
      tasks[i] = task.spawn(function()
        turns(2)
        ended = ended + 1
      end)
    end
    task.wait(tasks)
    equal(ended, 10000)
  end)

  it("map spawns fn(item) for each item, in order", function()
    local tasks = task.map(function(x) return x * x end, { 1, 2, 3 })
    equal(#tasks, 3)
    for i, t in ipairs(tasks) do
      equal(t:await(), i * i)
    end
    equal(task.map(print, {}), {})
  end)

  it("lets a task start another that it awaits, a thousand deep", function()
    local function down(n)
      if n == 0 then return 0 end
      return 1 + task.spawn(down, n - 1):await()
    end
    equal(down(1000), 1000)
  end)
end)

describe("await", function()
  it("gives the same values each time", function()
    local t = task.spawn(function() return {}, 2 end)
    local a = t:await()
    local b, two = t:await()
    equal(rawequal(a, b), true)
    equal(two, 2)
  end)

  it("wakes many waiters in the order they came", function()
    local order, note = recorder()
    local open = gate()
    local target = task.spawn(function()
      open.wait()
      return "v"
    end)
    local waiters = {}
    for i = 1, 5 do
      waiters[i] = task.spawn(function() note { i, target:await() } end)
    end
    turns(1)
    open.open()
    task.wait(waiters)
    equal(order, { { 1, "v" }, { 2, "v" }, { 3, "v" }, { 4, "v" }, { 5, "v" } })
  end)

  it("raises the error as it is, the same value each time", function()
    local thrown = { "mine" }
    local t = task.spawn(function() error(thrown) end)
    for _ = 1, 2 do
      local ok, err = pcall(t.await, t)
      equal(ok, false)
      equal(rawequal(err, thrown), true)
    end
    equal(getmetatable(thrown), nil)
    equal(next(thrown, 1), nil) -- nothing was added to it
  end)

  it("passes error values of every type", function()
    for _, value in ipairs { "text", 7, false, io.stdout, print } do
      local t = task.spawn(error, value, 0)
      local ok, err = pcall(t.await, t)
      equal(ok, false)
      equal(rawequal(err, value), true, tostring(value))
    end
  end)

  it("makes an error of nil an object that says so", function()
    local t = task.spawn(function() error() end)
    local err = raises("nil error", t.await, t)
    equal(task.is(err), true)
    equal(rawequal(select(2, pcall(t.await, t)), err), true)
    equal(t:status(), "failed")
  end)

  it("gives others their turn even when the task has ended", function()
    local order, note = recorder()
    local t = task.spawn(function() end)
    t:await()
    task.spawn(note, "other")
    for _ = 1, 1000 do t:await() end -- a loop of awaits starves nobody
    equal(order, { "other" })
  end)

  it("raises Cancelled on an ended task when the waiter is cancelled", function()
    local ended = task.spawn(function() return 1 end)
    ended:await()
    local waiter = task.spawn(function()
      task.current():cancel()
      return pcall(ended.await, ended)
    end)
    local ok, err = waiter:await()
    equal(ok, false)
    equal(task.is_cancelled(err), true)
  end)

  it("of itself is refused, and does the task no harm", function()
    local t
    t = task.spawn(function()
      misuse("a task cannot await itself", function() t:await() end)
      return "fine"
    end)
    equal(t:await(), "fine")
  end)

  it("of a cancelled task raises TaskCancelled, which is no Cancelled", function()
    local t = task.spawn(never)
    t.name = "victim"
    turns(1)
    t:cancel "because"
    local err = raises_error({ kind = "TaskCancelled", reason = "because" }, t.await, t)
    equal(rawequal(err.task, t), true)
    equal(err.message, "task 'victim' was cancelled")
    equal(task.is_cancelled(err), false)
    equal(task.is(err, "Cancelled"), false)
    equal(t:status(), "cancelled")
  end)

  it("only observes: cancelling the waiter leaves the task running", function()
    local open = gate()
    local target = task.spawn(function()
      open.wait()
      return "survived"
    end)
    local waiter = task.spawn(function() target:await() end)
    turns(1)
    waiter:cancel()
    raises_error({ kind = "TaskCancelled" }, waiter.await, waiter)
    equal(target:status(), "suspended")
    open.open()
    equal(target:await(), "survived")
  end)

  it("keeps the traceback of where it failed", function()
    local function deep_inside()
      local none = nil
      return none.field -- luacheck: ignore
    end
    local t = task.spawn(function() return 1 + deep_inside() end)
    local err = raises("attempt to index a nil value", t.await, t)
    equal(type(err), "string")
    equal(t:traceback():find "deep_inside" ~= nil, true)
  end)

  it("gives errors of ours a traceback", function()
    local function deep_inside()
      task.sleep(-1)
    end
    local t = task.spawn(function() return 1, deep_inside() end)
    local err = raises_error({ kind = "Usage" }, t.await, t)
    equal(err.traceback:find "deep_inside" ~= nil, true)
  end)
end)

describe("cancel", function()
  it("raises Cancelled at the wait, with source, reason and who did it", function()
    local caught
    local t = task.spawn(function()
      local ok, err = pcall(never)
      caught = err
      error(err, 0)
    end)
    turns(1)
    equal(t:cancel "enough", true)
    task.wait { t }
    equal(task.is_cancelled(caught), true)
    equal(caught.kind, "Cancelled")
    equal(caught.source, "cancel")
    equal(caught.reason, "enough")
    equal(caught.by, task.current().id)
    equal(tostring(caught), "cancelled: enough")
    equal(t:status(), "cancelled")
    equal({ t:result() }, { false, caught })
  end)

  it("before its start: it runs to its first wait, and its closers run", function()
    local order, note = recorder()
    local t = task.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() note "closed" end })
      note "started"
      task.sleep(0)
      note "too far"
    end)
    equal(t:status(), "pending")
    equal(t:cancel(), true)
    task.wait { t }
    equal(order, { "started", "closed" })
    equal(t:status(), "cancelled")
  end)

  it("is raised again at each wait", function()
    local raised = 0
    local t = task.spawn(function()
      for _ = 1, 3 do
        local ok, err = pcall(task.sleep, 1000)
        if not ok and task.is_cancelled(err) then raised = raised + 1 end
      end
      local ok = pcall(task.checkpoint)
      if not ok then raised = raised + 1 end
    end)
    turns(1)
    t:cancel()
    task.wait { t }
    equal(raised, 4)
    equal(t:status(), "done") -- it returned all the same
  end)

  it("keeps the first reason, and is true once", function()
    local reason
    local t = task.spawn(function()
      local _, err = pcall(never)
      reason = err.reason
    end)
    turns(1)
    equal(t:cancel "first", true)
    equal(t:cancel "second", false)
    task.wait { t }
    equal(reason, "first")
    equal(t:cancel "third", false)
  end)

  it("of oneself comes at the next wait; a task that returns first is done", function()
    local t = task.spawn(function()
      task.current():cancel "myself"
      return "value"
    end)
    equal(t:await(), "value")
    equal(t:status(), "done")
    local other = task.spawn(function()
      task.current():cancel "myself"
      task.checkpoint()
    end)
    raises_error({ kind = "TaskCancelled", reason = "myself" }, other.await, other)
  end)

  it("does not lose a value that had come already", function()
    local value, after
    local target
    local waiter = task.spawn(function()
      value = target:await()
      after = pcall(task.checkpoint)
    end)
    target = task.spawn(function() return "kept" end)
    task.spawn(function() waiter:cancel() end) -- in the same batch, after the value was handed over
    task.wait { waiter }
    equal(value, "kept")
    equal(after, false)
  end)

  it("reaches a whole tree, in the order of spawning", function()
    local order, note = recorder()
    local function node(name, depth)
      for i = 1, depth > 0 and 2 or 0 do
        task.spawn(node, name .. i, depth - 1)
      end
      local ok, err = pcall(never)
      note(name)
      if not ok then error(err, 0) end
    end
    local root = task.spawn(node, "r", 2)
    turns(4)
    root:cancel()
    task.wait { root }
    equal(order, { "r", "r1", "r11", "r12", "r2", "r21", "r22" })
  end)

  it("of a chain of ten thousand spawns does not overflow", function()
    local depth = 0
    local function link(n)
      depth = math.max(depth, n)
      if n < 10000 then task.spawn(link, n + 1) end
      never()
    end
    local root = task.spawn(link, 1)
    while depth < 10000 do task.checkpoint() end
    root:cancel()
    task.wait { root }
    equal(root:status(), "cancelled")
  end)

  it("lets the others run while a task swallows it over and over", function()
    local rounds = 0
    local stubborn = task.spawn(function()
      while rounds < 100 do
        pcall(task.sleep, 1000)
        rounds = rounds + 1
      end
    end)
    turns(1)
    stubborn:cancel()
    local seen = {}
    for i = 1, 5 do
      task.checkpoint()
      seen[i] = rounds
    end
    equal(seen[5] < 100, true)
    stubborn:await()
  end)

  it("is a failure like any other when the body raises something else", function()
    local t = task.spawn(function()
      pcall(never)
      error("cleanup broke", 0)
    end)
    turns(1)
    t:cancel()
    raises("cleanup broke", t.await, t)
    equal(t:status(), "failed")
  end)

  it("saved and raised where nobody cancelled is a failure", function()
    local saved
    local t = task.spawn(function() saved = select(2, pcall(never)) end)
    turns(1)
    t:cancel()
    task.wait { t }
    local other = task.spawn(error, saved, 0)
    raises("stray Cancelled", other.await, other)
    equal(other:status(), "failed")
  end)

  it("does not reach what is pending before it is asked for, and takes its own waits along", function()
    local inner
    local outer = task.spawn(function()
      inner = task.spawn(never)
      inner:await()
    end)
    turns(2)
    outer:cancel()
    task.wait { outer }
    equal(inner:status(), "cancelled") -- its child: orphans do not outlive their owner
  end)

  it("reaches a wait inside a <close> as it unwinds", function()
    local inside
    local t = task.spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        inside = { pcall(task.sleep, 0) }
      end })
      never()
    end)
    turns(1)
    t:cancel()
    task.wait { t }
    equal(inside[1], false)
    equal(task.is_cancelled(inside[2]), true)
    equal(t:status(), "cancelled")
  end)

  it("takes a string or nothing", function()
    local t = task.spawn(never)
    misuse("bad argument #1 to 'cancel' %(string expected, got table%)", function() t:cancel({}) end)
    misuse("bad argument #1 to 'cancel' %(task expected, got table%)", function() t.cancel({}) end)
    t:cancel(nil)
    task.wait { t }
  end)

  it("keeps a long reason, cut rather than refused", function()
    local t = task.spawn(never)
    turns(1)
    t:cancel(("x"):rep(100000))
    local err = raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(err.reason:match "^x+", err.reason)
  end)
end)

describe("orphans", function()
  it("are cancelled when their owner ends, which waits for their cleanup", function()
    local order, note = recorder()
    local owner = task.spawn(function()
      task.spawn(function()
        local ok, err = pcall(never)
        note "orphan cleans up"
        note(err.source)
        error(err, 0)
      end)
      turns(1)
      note "owner returns"
      return "value"
    end)
    equal(owner:await(), "value")
    note "owner ended"
    equal(order, { "owner returns", "orphan cleans up", "owner", "owner ended" })
  end)

  it("in the background outlive the owner", function()
    local open, ended = gate(), false
    local orphan
    task.spawn(function()
      orphan = task.background(function()
        open.wait()
        ended = true
      end)
    end):await()
    equal(orphan:status() == "pending" or orphan:status() == "suspended", true)
    open.open()
    orphan:await()
    equal(ended, true)
  end)

  it("that fail while they are being cancelled are told of", function()
    local told = {}
    task.on_unhandled = function(_, err) told[#told + 1] = err end
    task.spawn(function()
      task.spawn(function()
        pcall(never)
        error("worse", 0)
      end)
      turns(1)
    end):await()
    turns(2)
    equal(told, { "worse" })
  end)
end)

describe("on_unhandled", function()
  it("is told once of a failure that nobody awaited, when its owner ends", function()
    local told, before = {}, nil
    task.on_unhandled = function(t, err, traceback)
      told[#told + 1] = { t, err, traceback }
    end
    local function failing_function()
      error("lost", 0)
    end
    local child
    task.spawn(function()
      child = task.spawn(function() return 1, failing_function() end)
      turns(5)
      before = #told
    end):await()
    turns(3)
    equal(before, 0)
    equal(#told, 1)
    equal(rawequal(told[1][1], child), true)
    equal(told[1][2], "lost")
    equal(told[1][3]:find "failing_function" ~= nil, true)
    equal(child:status(), "failed")
  end)

  it("is not told of what was awaited, looked at, gathered or cancelled", function()
    local told = {}
    task.on_unhandled = function(_, err) told[#told + 1] = err end
    task.spawn(function()
      local a = task.spawn(error, "a", 0)
      pcall(a.await, a)
      local b = task.spawn(error, "b", 0)
      turns(1)
      b:result()
      pcall(task.gather, { task.spawn(error, "c", 0) })
      local d = task.spawn(never)
      turns(1)
      d:cancel()
      pcall(task.group, function(g) g:spawn(error, "e", 0) end)
    end):await()
    turns(3)
    equal(told, {})
  end)

  it("is told of what was only handed out by wait and as_completed", function()
    local told = {}
    task.on_unhandled = function(_, err) told[#told + 1] = err end
    task.spawn(function()
      task.wait { task.spawn(error, "waited", 0) }
      for _ in task.as_completed { task.spawn(error, "completed", 0) } do
        turns(1)
      end
    end):await()
    turns(3)
    equal(told, { "waited", "completed" })
  end)

  it("is told of each of many, in the order they failed", function()
    local told = {}
    task.on_unhandled = function(_, err) told[#told + 1] = err end
    task.spawn(function()
      for i = 1, 100 do
        task.spawn(error, i, 0)
      end
      turns(1)
    end):await()
    turns(3)
    equal(#told, 100)
    for i = 1, 100 do equal(told[i], i) end
  end)

  it("cannot wait", function()
    local refused
    task.on_unhandled = function() refused = select(2, pcall(task.sleep, 0)) end
    task.spawn(function() task.spawn(error, "x", 0) end):await()
    turns(3)
    equal(task.is(refused, "Usage"), true)
    equal(refused.message:find "cannot wait here" ~= nil, true)
  end)
end)

describe("a task", function()
  it("has a status in each part of its life", function()
    local t
    t = task.spawn(function()
      equal(t:status(), "running")
      task.sleep(0.001)
    end)
    equal(t:status(), "pending")
    turns(1)
    equal(t:status(), "suspended")
    t:await()
    equal(t:status(), "done")
  end)

  it("gives its result without waiting, once it has ended", function()
    local t = task.spawn(function() return 1, nil, 3, nil end)
    misuse("the task has not ended", function() t:result() end)
    t:await()
    equal(table.pack(t:result()), { n = 5, true, 1, nil, 3, nil })
    local none = task.spawn(function() end)
    none:await()
    equal(table.pack(none:result()), { n = 1, true })
    local one = task.spawn(function() return "x" end)
    one:await()
    equal(table.pack(one:result()), { n = 2, true, "x" })
    local failed = task.spawn(error, { 7 })
    turns(1)
    equal(table.pack(failed:result()), { n = 2, false, { 7 } })
  end)

  it("is named after where its function stands, until somebody names it", function()
    local here = line() + 1
    local t = task.spawn(function() end)
    equal(t.name, ("%s:%d#%d"):format(debug.getinfo(1, "S").short_src, here, t.id))
    t.name = "mine"
    equal(t.name, "mine")
    equal(tostring(t), "task 'mine' (pending)")
    misuse("only 'name'", function() t.nmae = "x" end)
    misuse("string expected, got nil", function() t.name = nil end)
    equal(t.nothing, nil)
    t:await()
    equal(t.name, "mine")
    equal(tostring(t), "task 'mine' (done)")
  end)

  it("knows itself", function()
    local t
    t = task.spawn(function() return task.current() end)
    equal(rawequal(t:await(), t), true)
    equal(math.type(t.id), "integer")
  end)

  it("hides its metatable", function()
    equal(getmetatable(task.current()), false)
  end)

  it("shows where it is, and what for it waits", function()
    local function parked_here()
      task.sleep(1000)
    end
    local t = task.spawn(function() return 1, parked_here() end)
    equal(t:waits_for(), "")
    turns(1)
    equal(t:waits_for(), "sleep 1e+03 s")
    equal(t:traceback():find "parked_here" ~= nil, true)
    t:cancel()
    task.wait { t }
    equal(t:waits_for(), "")
  end)

  it("shows where in a coroutine of its own it is, and who resumed that", function()
    local function deep() task.sleep(1000) end
    local t = task.spawn(function()
      local function resumes() for _ in coroutine.wrap(function() return 1, deep() end) do break end end
      resumes()
    end)
    turns(1)
    local inner, outer = t:traceback():match "^(.*)\nin a coroutine resumed by\n(.*)$"
    equal(inner:find "'deep'" ~= nil and outer:find "'resumes'" ~= nil, true)
    t:cancel()
    task.wait { t }
  end)

  it("stands in the tree below its owner", function()
    local function find(tree, id)
      for _, row in ipairs(tree) do
        local found = row.id == id and row or find(row.children, id)
        if found then return found end
      end
    end
    local child
    local parent = task.spawn(function()
      child = task.spawn(never)
      child.name = "the child"
      child:await()
    end)
    turns(2)
    local row = find(task.tree(), parent.id)
    equal(#row.children, 1)
    equal(row.children[1].id, child.id)
    equal(row.children[1].name, "the child")
    equal(row.children[1].status, "suspended")
    equal(row.children[1].waits_for:match "^%a+", "sleep")
    equal(row.status, "suspended")
    equal(row.waits_for:find "^join" ~= nil, true)
    parent:cancel()
    task.wait { parent }
    equal(find(task.tree(), parent.id), nil)
  end)
end)

describe("sleep", function()
  it("never returns early", function()
    for _, seconds in ipairs { 0.001, 0.0103, 0.02 } do
      local t0 = task.now()
      task.sleep(seconds)
      local took = task.now() - t0
      equal(took >= seconds, true, ("slept %.9f of %.9f"):format(took, seconds))
    end
  end)

  it("counts from now, whatever ran before it", function()
    local t0 = os.clock()
    while os.clock() - t0 < 0.05 do end -- the loop's own idea of the time is stale now
    local t1 = task.now()
    task.sleep(0.03)
    equal(task.now() - t1 >= 0.03, true)
  end)

  it("of zero lets the others run", function()
    local order, note = recorder()
    local t = task.spawn(note, "other")
    task.sleep(0)
    note "back"
    equal(order, { "other", "back" })
    t:await()
  end)

  it("wakes in the order of the instants, equal ones in the order they came", function()
    local order, note = recorder()
    local tasks = task.map(function(i)
      task.sleep(0.01)
      note(i)
    end, { 1, 2, 3, 4 })
    task.wait(tasks)
    equal(order, { 1, 2, 3, 4 })
  end)

  it("gives nothing back", function()
    equal(select("#", task.sleep(0)), 0)
    equal(select("#", task.sleep(0.0001)), 0)
    equal(select("#", task.checkpoint()), 0)
  end)

  it("refuses NaN, what is negative and what is no number, at the caller's line", function()
    misuse("seconds cannot be NaN", function() task.sleep(0 / 0) end)
    misuse("seconds cannot be negative", function() task.sleep(-1) end)
    misuse("seconds cannot be negative", function() task.sleep(-math.huge) end)
    misuse("seconds cannot be negative", function() task.sleep(-1e-300) end)
    misuse("bad argument #1 to 'sleep' %(seconds expected, got string%)", function() task.sleep("1") end)
    misuse("got nil", function() task.sleep(nil) end)
    misuse("got no value", function() task.sleep() end)
    misuse("got table", function() task.sleep({}) end)
    misuse("got boolean", function() task.sleep(true) end)
    misuse("got septet.task", function() task.sleep(task.current()) end)
  end)

  it("takes what is huge, and can still be cancelled", function()
    for _, seconds in ipairs { math.huge, 1e300, 1e19, 1e10, math.maxinteger } do
      local t = task.spawn(task.sleep, seconds)
      turns(2)
      equal(t:status(), "suspended")
      t:cancel()
      task.wait { t }
      equal(t:status(), "cancelled")
    end
  end)

  it("takes what is tiny, and minus zero", function()
    task.sleep(1e-300)
    task.sleep(-0.0)
    task.sleep(0)
  end)

  it("goes on for a thousand tasks at once", function()
    local tasks = {}
    for i = 1, 1000 do
      tasks[i] = task.spawn(task.sleep, (i * 7919 % 1000) * 1e-5)
    end
    local done = task.wait(tasks)
    equal(#done, 1000)
  end)
end)

describe("the clock", function()
  it("never goes backwards", function()
    local last = task.now()
    for _ = 1, 1000 do
      local now = task.now()
      equal(now >= last, true)
      last = now
    end
    equal(math.type(last), "float")
  end)
end)

describe("is", function()
  it("tells kinds of ours from everything else", function()
    local ours = raises(nil, task.sleep, -1)
    equal(task.is(ours), true)
    equal(task.is(ours, "Usage"), true)
    equal(task.is(ours, "HttpError"), false)
    for _, value in ipairs { "Usage", 7, true, { kind = "Usage" }, print, setmetatable({ kind = "Usage" }, {}) } do
      equal(task.is(value, "Usage"), false)
      equal(task.is(value), false)
    end
    equal(task.is(nil), false)
    equal(task.is(nil, "Usage"), false)
    misuse("string expected, got number", function() task.is(ours, 7) end)
  end)
end)

describe("misuse", function()
  it("is refused in a finalizer", function()
    local refused
    setmetatable({}, { __gc = function() refused = select(2, pcall(task.sleep, 0)) end })
    collectgarbage()
    collectgarbage()
    equal(task.is(refused, "Usage"), true)
    equal(refused.message:find "cannot wait here: called from a finalizer" ~= nil, true, refused.message)
  end)
end)
