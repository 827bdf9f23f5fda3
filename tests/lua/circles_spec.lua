-- SPDX-License-Identifier: MIT
-- Tasks that wait for one another in a circle, through the ends of combinators too: each can be
-- cancelled.
local task = require "septet.task"
local helpers = require "helpers"

local never = helpers.never

-- How a task may wait for another one.
local waits = {
  gather = function(t) return task.gather { t } end,
  ["gather with others"] = function(t) return task.gather { never, t, never } end,
  ["gather, settled"] = function(t) return task.gather({ t }, { settled = true }) end,
  ["gather, limited"] = function(t) return task.gather({ never, t, never }, { limit = 1 }) end,
  ["gather of gathers"] = function(t)
    return task.gather { function() return task.gather { t } end, function()
      return task.gather { t, never }
    end }
  end,
  ["gather in a group"] = function(t)
    return task.group(function(g) g:spawn(task.gather, { t }) end)
  end,
  race = function(t)
    return task.race { function() return task.gather { t } end, never }
  end,
  as_completed = function(t)
    for ended in task.as_completed { function() return task.gather { t } end, t } do
      ended:await()
    end
  end,
  ["as_completed, left"] = function(t)
    for _ in task.as_completed { function() return t:await() end, function() end } do break end
    return task.gather { t }
  end,
  await = function(t) return t:await() end,
  wait = function(t) return task.wait { t } end,
}

local names = {}
for name in pairs(waits) do names[#names + 1] = name end
table.sort(names)

-- Where a task of a circle may be spawned: beside the others, below the one before it, or for the
-- whole run.
local kinships = {
  siblings = function(n, spawn)
    for i = 1, n do spawn(task.spawn, i) end
  end,
  chain = function(n, spawn)
    local function below(i)
      if i > n then return end
      spawn(task.spawn, i, function() below(i + 1) end)
    end
    below(1)
  end,
  background = function(n, spawn)
    for i = 1, n do spawn(task.background, i) end
  end,
}

-- A circle of n tasks: the i-th waits for the next one by how(i). Returns them once all wait.
local function circle(n, kinship, how)
  local tasks = {}
  kinships[kinship](n, function(spawn, i, first)
    tasks[i] = spawn(function()
      if first then first() end
      turns(2 * n)
      how(i)(tasks[i % n + 1])
    end)
  end)
  turns(6 * n + 6)
  for i = 1, n do equal(tasks[i]:status(), "suspended") end
  return tasks
end

local function ends(tasks, which)
  for _, i in ipairs(which) do tasks[i]:cancel() end
  task.wait(tasks)
  for _, i in ipairs(which) do
    if tasks[i]:status() ~= "failed" then equal(tasks[i]:status(), "cancelled", i) end
    pcall(tasks[i].await, tasks[i])
  end
  for _, t in ipairs(tasks) do pcall(t.await, t) end
end

for kinship in pairs(kinships) do
  describe(("circles of tasks (%s)"):format(kinship), function()
    for _, name in ipairs(names) do
      it("T-L: a circle of waits ends when it is cancelled: " .. name, function()
        for n = 2, 4 do
          local all = {}
          for i = 1, n do all[i] = i end
          ends(circle(n, kinship, function() return waits[name] end), all)
          if name ~= "await" and name ~= "wait" and not name:find "completed" then
            ends(circle(n, kinship, function() return waits[name] end), { 1 })
          end
        end
      end)
    end

    it("T-L: a circle of mixed waits ends", function()
      for n = 2, 4 do
        for first = 1, #names do
          local all = {}
          for i = 1, n do all[i] = n - i + 1 end
          ends(circle(n, kinship,
            function(i) return waits[names[(first + 3 * i) % #names + 1]] end), all)
        end
      end
    end)
  end)
end

describe("tasks that wait for their waiters", function()
  it("T-L: a task that gathers a task that waits for it ends", function()
    for _, name in ipairs(names) do
      local t
      t = task.spawn(function()
        return task.gather { function() return waits[name](t) end }
      end)
      turns(6)
      t:cancel()
      task.wait { t }
      equal(t:status(), "cancelled", name)
    end
  end)

  it("T-L: a shielded task is dropped by the gather that it comes to wait for", function()
    local a, b
    a = task.spawn(function() return task.gather { b } end)
    b = task.spawn(function()
      pcall(never)
      task.shield(task.wait, { a })
    end)
    turns(3)
    a:cancel()
    task.wait { a, b }
    equal({ a:status(), b:status() }, { "cancelled", "done" })
  end)

  it("T-L: a circle over two steps is resolved, whichever wait began last", function()
    for late = 1, 2 do
      local a, b, c
      local hold = gate()
      a = task.spawn(function() return task.gather { b } end)
      b = task.spawn(function()
        pcall(never)
        task.shield(function()
          if late == 1 then hold.wait() end
          task.wait { c }
        end)
      end)
      c = task.spawn(function()
        if late == 2 then hold.wait() end
        task.wait { a }
      end)
      turns(3)
      a:cancel()
      turns(3)
      equal(a:status(), "suspended")
      hold.open()
      task.wait { a, b, c }
      equal({ a:status(), b:status(), c:status() }, { "cancelled", "done", "done" })
    end
  end)

  it("T-L: a task is dropped when its end would wait for a waiter of the gather", function()
    local a, b, child
    a = task.spawn(function() return task.gather { b } end)
    local hold = gate()
    b = task.spawn(function()
      child = task.spawn(task.shield, function() task.wait { a } end)
      turns(1)
      pcall(never)
      task.shield(hold.wait)
    end)
    turns(4)
    a:cancel()
    turns(4)
    equal(a:status(), "suspended")
    hold.open()
    task.wait { a, b, child }
    equal({ a:status(), b:status() }, { "cancelled", "done" })
  end)

  it("T-L: a gather still waits for a task outside of every circle", function()
    local hold, ended = gate(), false
    local b = task.spawn(function()
      pcall(never)
      task.shield(hold.wait)
      ended = true
    end)
    local a = task.spawn(function() return task.gather { b, never } end)
    turns(3)
    a:cancel()
    turns(5)
    equal({ a:status(), ended }, { "suspended", false })
    hold.open()
    task.wait { a }
    equal({ a:status(), b:status(), ended }, { "cancelled", "done", true })
  end)

  it("T-L: a failed gather waits for the members that do not wait for it", function()
    local hold, order = gate(), {}
    local a, b, c
    a = task.spawn(function()
      local ok, err = pcall(task.gather, { b, c, function() error("lost", 0) end })
      order[#order + 1] = "a"
      return ok, err
    end)
    b = task.spawn(function() return task.gather { a } end)
    c = task.spawn(function()
      pcall(never)
      task.shield(hold.wait)
      order[#order + 1] = "c"
    end)
    turns(8)
    equal(a:status(), "suspended")
    hold.open()
    task.wait { a, b, c }
    equal(order, { "c", "a" })
    equal(b:status(), "cancelled")
  end)
end)
