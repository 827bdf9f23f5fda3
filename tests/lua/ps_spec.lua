-- SPDX-License-Identifier: MIT
-- septet.trace.ps: what the live tasks do, as text and as tables.
local task, sync, trace = require "septet.task", require "septet.sync", require "septet.trace"

-- Returns the table of a task.
local function row_of(t, rows)
  for _, row in ipairs(rows) do
    if row.id == t.id then return row end
  end
end

local function spawn_waiters(n, group)
  local event, tasks = sync.event(), {}
  local function wait() event:wait() end
  for i = 1, n do
    tasks[i] = group:spawn(wait)
    tasks[i].name = "waiter"
  end
  task.sleep(0)
  return event, tasks
end

describe("trace.ps", function()
  it("returns the tree as text", function()
    task.group(function(group)
      local event = spawn_waiters(1, group)
      local text = trace.ps()
      assert(text:find "^septet %d+  up [%d.]+s  tasks %d+ %(1 run, %d+ ready, %d+ wait%)  ", text)
      assert(text:find "#%d+ waiter +wait event +[%d.]+s +%S*ps_spec.lua:14\n", text)
      event:set()
    end)
  end)

  it("groups tasks that wait alike, unless all are asked for", function()
    task.group(function(group)
      local event = spawn_waiters(50, group)
      local function count(text) return select(2, text:gsub("waiter +wait event", "")) end
      equal(count(trace.ps()), 3)
      assert(trace.ps():find '… 47 more "waiter" waiting on event')
      equal(count(trace.ps { all = true }), 50)
      event:set()
    end)
  end)

  it("returns tables", function()
    task.group(function(group)
      local event, tasks = spawn_waiters(1, group)
      local rows = trace.ps { json = true }
      local row, own = row_of(tasks[1], rows), row_of(task.current(), rows)
      equal(row.name, "waiter")
      equal(row.parent, own.id)
      equal(row.state, "wait")
      equal(row.wait.kind, "event")
      equal(row.resumes, 1)
      equal(math.type(row.busy_us), "integer")
      equal(#row.stack, 1)
      equal(row.stack[1].line, 14)
      equal(own.state, "run")
      equal(own.wait, nil)
      assert(own.stack[1].src:find "ps_spec.lua$")
      event:set()
    end)
  end)

  it("escapes names", function()
    local t = task.spawn(task.sleep, 0)
    t.name = 'a\n\27"\xff'
    assert(trace.ps():find('a\\n\\x1b"\\xff', 1, true))
    equal(row_of(t, trace.ps { json = true }).name, 'a\\n\\x1b"\\xff')
    t:await()
  end)

  it("shows the coroutines around a wait and around the caller", function()
    local text
    local function inner() text = trace.ps() end
    coroutine.wrap(function() coroutine.wrap(function() inner() end)() end)()
    assert(text:find "ps_spec.lua:%d+ in inner ← %S+:%d+ ← %S+:%d+", text)
  end)

  it("checks its options", function()
    raises("unknown option 'al' to 'ps', did you mean 'all'", trace.ps, { al = true })
    raises("bad option 'json' to 'ps'", trace.ps, { json = 1 })
  end)
end)
