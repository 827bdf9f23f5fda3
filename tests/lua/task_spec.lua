-- SPDX-License-Identifier: MIT
-- septet.task: spawning, what a task shows of itself, and tasks and errors that no task waits for.
-- check: allow cannot-wait
local task = require "septet.task"
local helpers = require "helpers"

local never, recorder, unhandled = helpers.never, helpers.recorder, helpers.unhandled

describe("spawn", function()
  it("spawn defers: the spawner goes on, then its tasks start in order", function()
    local order, note = recorder()
    for i = 1, 3 do
      task.spawn(note, i)
    end
    note "parent"
    turns(1)
    equal(order, { "parent", 1, 2, 3 })
  end)

  it("spawn passes arguments and results, all nils included", function()
    local got
    local t = task.spawn(function(...)
      got = table.pack(...)
      return nil, 2, nil
    end, nil, "b", nil, nil)
    local values = table.pack(t:await())
    equal(got, { n = 4, nil, "b" })
    equal(values, { n = 3, nil, 2 })
  end)

  it("spawn passes no value, and thousands", function()
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

  it("spawn takes any value that can be called", function()
    local callable = setmetatable({}, { __call = function(_, a, b) return a + b end })
    equal(task.spawn(callable, 3, 4):await(), 7)
    equal(task.spawn(math.max, 3, 4):await(), 4)
    task.spawn(task.sleep, 0):await()
  end)

  it("spawn refuses what cannot be called, at the caller's line", function()
    misuse("bad argument #1 to 'spawn' %(function expected, got nil%)", function()
      task.spawn(nil)
    end)
    misuse("got table", function() task.spawn({}) end)
    misuse("got no value", function() task.spawn() end)
    misuse("got string", function() task.background("f") end)
    misuse("got number", function() task.map(7, {}) end)
    misuse("list expected, got nil", function() task.map(print) end)
  end)

  it("spawn keeps a task alive that no variable holds", function()
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

  it("spawn runs ten thousand tasks, each of which ends", function()
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

  it("a task may spawn and await another, a thousand deep", function()
    local function down(n)
      if n == 0 then return 0 end
      return 1 + task.spawn(down, n - 1):await()
    end
    equal(down(1000), 1000)
  end)
end)

describe("orphans", function()
  it("orphans are cancelled when their owner ends, which waits for their cleanup", function()
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

  it("background tasks outlive their owner", function()
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

  it("orphans that fail while they are cancelled are reported", function()
    local reported = unhandled()
    task.spawn(function()
      task.spawn(function()
        pcall(never)
        error("worse", 0)
      end)
      turns(1)
    end):await()
    turns(2)
    equal(reported, { "worse" })
  end)
end)

describe("on_unhandled", function()
  it("on_unhandled gets an unawaited failure once, when its owner ends", function()
    local reported, before = {}, nil
    task.on_unhandled = function(t, err, traceback)
      reported[#reported + 1] = { t, err, traceback }
    end
    local function failing_function()
      error("lost", 0)
    end
    local child
    task.spawn(function()
      child = task.spawn(function() return 1, failing_function() end)
      turns(5)
      before = #reported
    end):await()
    turns(3)
    equal(before, 0)
    equal(#reported, 1)
    equal(rawequal(reported[1][1], child), true)
    equal(reported[1][2], "lost")
    equal(reported[1][3]:find "failing_function" ~= nil, true)
    equal(child:status(), "failed")
  end)

  it("on_unhandled gets no failure that was awaited, read, gathered or cancelled", function()
    local reported = unhandled()
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
    equal(reported, {})
  end)

  it("on_unhandled gets a failure that wait and as_completed only handed out", function()
    local reported = unhandled()
    task.spawn(function()
      task.wait { task.spawn(error, "waited", 0) }
      for _ in task.as_completed { task.spawn(error, "completed", 0) } do
        turns(1)
      end
    end):await()
    turns(3)
    equal(reported, { "waited", "completed" })
  end)

  it("on_unhandled gets each of many failures, in their order", function()
    local reported = unhandled()
    task.spawn(function()
      for i = 1, 100 do
        task.spawn(error, i, 0)
      end
      turns(1)
    end):await()
    turns(3)
    equal(#reported, 100)
    for i = 1, 100 do equal(reported[i], i) end
  end)

  it("on_unhandled cannot wait", function()
    local refused
    task.on_unhandled = function() refused = select(2, pcall(task.sleep, 0)) end
    task.spawn(function() task.spawn(error, "x", 0) end):await()
    turns(3)
    equal(task.is(refused, "Usage"), true)
    equal(refused.message:find "cannot wait here" ~= nil, true)
  end)
end)

describe("a task", function()
  it("a task has a status in each part of its life", function()
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

  it("a task that has ended gives its result without a wait", function()
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

  it("a task is named for its function's place, until a script names it", function()
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

  it("a task knows itself", function()
    local t
    t = task.spawn(function() return task.current() end)
    equal(rawequal(t:await(), t), true)
    equal(math.type(t.id), "integer")
  end)

  it("a task hides its metatable", function()
    equal(getmetatable(task.current()), false)
  end)

  it("a task's traceback shows where it is, and what it waits for", function()
    local function parked_here()
      task.sleep(1000)
    end
    local t = task.spawn(function() return 1, parked_here() end)
    equal(t:waits_for(), "")
    turns(1)
    equal(t:waits_for(), "sleep 1000 s")
    equal(t:traceback():find "parked_here" ~= nil, true)
    t:cancel()
    task.wait { t }
    equal(t:waits_for(), "")
  end)

  it("a wait for several tasks says what it is for, and how many have ended", function()
    local function start(wait, ...)
      local t = task.spawn(wait, ...)
      turns(5)
      local text = t:waits_for()
      t:cancel()
      task.wait { t }
      return text
    end
    local function forever() task.sleep(1000) end
    equal(start(function() task.gather { task.spawn(forever), task.spawn(task.checkpoint) } end),
      "tasks results of 2 tasks (1 ended)")
    equal(start(function() task.wait { task.spawn(forever) } end),
      "tasks all of 1 task (0 ended)")
  end)

  it("a task's traceback shows its coroutines, and their resumer", function()
    local function deep() task.sleep(1000) end
    local t = task.spawn(function()
      local function resumes()
        for _ in coroutine.wrap(function() return 1, deep() end) do break end
      end
      resumes()
    end)
    turns(1)
    local inner, outer = t:traceback():match "^(.*)\nin a coroutine resumed by\n(.*)$"
    equal(inner:find "'deep'" ~= nil and outer:find "'resumes'" ~= nil, true)
    t:cancel()
    task.wait { t }
  end)

  it("a task is in the tree below its owner", function()
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

describe("is", function()
  it("is knows the kinds of Septet's errors from all other values", function()
    local ours = raises(nil, task.sleep, -1)
    equal(task.is(ours), true)
    equal(task.is(ours, "Usage"), true)
    equal(task.is(ours, "HttpError"), false)
    for _, value in ipairs { "Usage", 7, true, { kind = "Usage" }, print,
      setmetatable({ kind = "Usage" }, {}) } do
      equal(task.is(value, "Usage"), false)
      equal(task.is(value), false)
    end
    equal(task.is(nil), false)
    equal(task.is(nil, "Usage"), false)
    misuse("string expected, got number", function() task.is(ours, 7) end)
  end)
end)

describe("misuse", function()
  it("misuse in a finalizer is refused", function()
    local refused
    setmetatable({}, { __gc = function() refused = select(2, pcall(task.sleep, 0)) end })
    collectgarbage()
    collectgarbage()
    equal(task.is(refused, "Usage"), true)
    equal(refused.message:find "cannot wait here: called from a finalizer" ~= nil,
      true, refused.message)
  end)
end)
