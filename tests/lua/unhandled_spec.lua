-- SPDX-License-Identifier: MIT
-- Each failure is reported once, or seen by a task, however many tasks raise it again.
-- check: allow dropped-result
local task = require "septet.task"

-- Runs fn, whatever it raises. Returns what was reported as unhandled meanwhile.
local function reports(fn, ...)
  local reported, before = {}, task.on_unhandled
  task.on_unhandled = function(_, err) reported[#reported + 1] = tostring(err) end
  pcall(fn, ...)
  task.sleep(0.1)
  task.on_unhandled = before
  return reported
end

local function failing()
  task.sleep(0.01)
  error("bottom", 0)
end

local function again(t)
  return function() return t:await() end
end

-- Each way in which tasks of a block raise the failure of `t` again.
local combinators = {
  gather = function(t) task.gather { again(t) } end,
  ["gather of many"] = function(t) task.gather { again(t), again(t), again(t) } end,
  ["gather with a limit"] = function(t)
    task.gather({ again(t), again(t), again(t) }, { limit = 2 })
  end,
  ["gather settled"] = function(t) task.gather({ again(t), again(t) }, { settled = true }) end,
  ["gather of gathers"] = function(t)
    task.gather { function() task.gather { again(t) } end, function() task.gather { again(t) } end }
  end,
  race = function(t) task.race { again(t), again(t) } end,
  map = function(t)
    task.timeout(1, function() task.gather(task.map(again(t), { 1, 2, 3 })) end)
  end,
  as_completed = function(t)
    task.timeout(1, function()
      for done in task.as_completed { task.spawn(again(t)), task.spawn(again(t)) } do
        done:await()
      end
    end)
  end,
  wait = function(t) task.timeout(1, task.wait, { task.spawn(again(t)) }) end,
  ["in a shield"] = function(t) task.shield(task.gather, { again(t), again(t) }) end,
  ["of a shield"] = function(t) task.gather { function() task.shield(t.await, t) end } end,
  ["a task of a block"] = function(t)
    task.timeout(1, function()
      task.spawn(again(t))
      task.sleep(1)
    end)
  end,
  retry = function(t)
    for _ = 1, 3 do
      if task.pcall(task.gather, { again(t) }) then break end
    end
    task.gather { again(t) }
  end,
  ["raised by value"] = function(t)
    task.gather { function()
      local _, err = pcall(t.await, t)
      error(err, 0)
    end }
  end,
}

for name, combine in pairs(combinators) do
  it("T-C: a failure that a group lists is not reported as well: " .. name, function()
    equal(reports(task.group, function(g)
      combine(g:spawn(failing))
    end), {}, "a function")
    equal(reports(function()
      local g <close> = task.group()
      combine(g:spawn(failing))
    end), {}, "a variable")
    equal(reports(task.group, function(g)
      task.group(function() combine(g:spawn(failing)) end)
    end), {}, "a group in a group")
  end)

  it("T-C: a failure that one task of many sees is not reported for others: " .. name, function()
    equal(reports(function()
      local t = task.spawn(failing)
      pcall(t.await, t)
      combine(t)
    end), {})
  end)
end

it("T-C: a hundred groups that await one another report nothing", function()
  local function level(n)
    if n == 0 then failing() end
    task.group(function(g)
      local t = g:spawn(level, n - 1)
      return task.gather { again(t) }
    end)
  end
  equal(reports(level, 100), {})
end)

it("T-C: a failure that no task saw is reported once", function()
  for many = 1, 4 do
    equal(reports(function()
      task.move_on_after(0.5, function()
        local t = task.spawn(failing)
        for _ = 1, many do task.spawn(again(t)) end
        task.sleep(1)
      end)
    end), { "bottom" }, many)
  end
  equal(reports(function()
    task.move_on_after(0.5, function()
      task.spawn(failing)
      task.sleep(1)
    end)
  end), { "bottom" })
  equal(reports(function()
    task.move_on_after(0.5, function()
      local t = task.spawn(again(task.spawn(again(task.spawn(failing)))))
      task.spawn(again(t))
      task.sleep(1)
    end)
  end), { "bottom" }, "a chain")
end)

it("T-C: two failures with the same words are both reported", function()
  equal(reports(function()
    task.move_on_after(0.5, function()
      for _ = 1, 2 do
        local t = task.spawn(failing)
        task.spawn(again(t))
      end
      task.sleep(1)
    end)
  end), { "bottom", "bottom" })
end)

it("T-C: a failure in a gather that is being cancelled is reported", function()
  equal(reports(task.group, function(g)
    g:spawn(failing)
    task.gather { function()
      pcall(task.sleep, 1)
      error("another", 0)
    end }
  end), { "another" })
  equal(reports(task.group, function(g)
    g:spawn(failing)
    task.race { function()
      task.sleep(0.01)
      error("another", 0)
    end }
  end), { "another" }, "in the same turn")
end)
