-- SPDX-License-Identifier: MIT
-- Cancelling: which wait raises Cancelled, and what the task does then.
local task = require "septet.task"
local helpers = require "helpers"

local never, recorder = helpers.never, helpers.recorder

describe("cancel", function()
  it("a cancelled wait raises Cancelled with its source, its reason and its origin", function()
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

  it("a task cancelled before its start runs to its first wait, and its closers run", function()
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

  it("Cancelled is raised again at each wait", function()
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

  it("a second cancel returns false and keeps the first reason", function()
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

  it("a task that cancels itself raises at the next wait, or returns first", function()
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

  it("cancelling a task does not lose a value that came before", function()
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

  it("cancelling a task reaches its whole tree, in the order of spawning", function()
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

  it("cancelling a chain of ten thousand spawns does not overflow the stack", function()
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

  it("a task that swallows Cancelled over and over lets other tasks run", function()
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

  it("a cancelled task that raises another error has failed", function()
    local t = task.spawn(function()
      pcall(never)
      error("cleanup broke", 0)
    end)
    turns(1)
    t:cancel()
    raises("cleanup broke", t.await, t)
    equal(t:status(), "failed")
  end)

  it("a kept Cancelled that is raised in a task that is not cancelled is a failure", function()
    local saved
    local t = task.spawn(function() saved = select(2, pcall(never)) end)
    turns(1)
    t:cancel()
    task.wait { t }
    local other = task.spawn(error, saved, 0)
    raises("stray Cancelled", other.await, other)
    equal(other:status(), "failed")
  end)

  it("a cancellation does not reach work begun before it, and takes its own waits along", function()
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

  it("a cancellation reaches a wait inside a <close> that unwinds", function()
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

  it("cancel takes a string or nothing", function()
    local t = task.spawn(never)
    misuse("bad argument #1 to 'cancel' %(string expected, got table%)", function()
      t:cancel({})
    end)
    misuse("bad argument #1 to 'cancel' %(task expected, got table%)", function() t.cancel({}) end)
    t:cancel(nil)
    task.wait { t }
  end)

  it("cancel keeps a long reason, and cuts it if it must", function()
    local t = task.spawn(never)
    turns(1)
    t:cancel(("x"):rep(100000))
    local err = raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(err.reason:match "^x+", err.reason)
  end)
end)
