-- SPDX-License-Identifier: MIT
-- Reasons of cancellations, and names: a script's strings come back as they were.
local task = require "septet.task"
local helpers = require "helpers"

local never = helpers.never

local all = {}
for i = 0, 255 do all[#all + 1] = string.char(i) end

local strings = {
  [""] = "the empty string",
  ["x"] = "a character",
  [("x"):rep(63)] = "63 characters",
  [("x"):rep(64)] = "64 characters",
  [("x"):rep(1000)] = "1000 characters",
  [("long "):rep(200000)] = "a megabyte",
  ["a\0b"] = "a NUL",
  ["\0"] = "nothing but a NUL",
  ["line\nline\r\t\27[2J"] = "control characters",
  ["größer \u{1F600}"] = "UTF-8",
  [table.concat(all)] = "each byte",
  ["%s%d%%"] = "a format",
}

-- How something may be cancelled with a reason; each calls fn, which never ends by itself, in it
-- and returns what unwound fn.
local ways = {
  ["a task"] = function(reason, fn)
    local seen
    local t = task.spawn(function()
      seen = select(2, pcall(fn))
      error(seen, 0)
    end)
    turns(2)
    equal({ t:cancel(reason), t:cancel "second" }, { true, false })
    local err = raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(err.reason == reason, true, "TaskCancelled")
    collectgarbage()
    equal(raises_error({ kind = "TaskCancelled" }, t.await, t).reason == reason, true, "again")
    return seen
  end,
  ["a task before its first turn"] = function(reason, fn)
    local seen
    local t = task.spawn(function(...)
      equal(table.pack(...), { n = 4, 1, 2, 3, 4 })
      seen = select(2, pcall(fn))
      error(seen, 0)
    end, 1, 2, 3, 4)
    t:cancel(reason)
    equal(raises_error({ kind = "TaskCancelled" }, t.await, t).reason == reason, true)
    return seen
  end,
  ["a task by itself"] = function(reason, fn)
    local seen
    task.spawn(function()
      task.current():cancel(reason)
      seen = select(2, pcall(fn))
    end):await()
    return seen
  end,
  ["a task of a task"] = function(reason, fn)
    local seen
    local t = task.spawn(function()
      task.spawn(function() seen = select(2, pcall(fn)) end)
      never()
    end)
    turns(3)
    t:cancel(reason)
    task.wait { t }
    return seen
  end,
  ["a group"] = function(reason, fn)
    local seen
    task.group(function(g)
      g:spawn(function() seen = select(2, pcall(fn)) end)
      turns(2)
      g:cancel(reason)
      local _, err = pcall(never)
      equal(err.reason == reason, true, "the body")
      error(err, 0)
    end)
    return seen
  end,
  ["a group by a task of it"] = function(reason, fn)
    local seen
    task.group(function(g)
      g:spawn(g.cancel, g, reason)
      seen = select(2, pcall(fn))
      error(seen, 0)
    end)
    return seen
  end,
  ["a group that is a variable"] = function(reason, fn)
    local seen, t, late
    do
      local g <close> = task.group()
      t = g:spawn(function()
        seen = select(2, pcall(fn))
        error(seen, 0)
      end)
      turns(2)
      equal({ g:cancel(reason), g:cancel "second" }, { true, false })
      late = task.spawn(never)
    end
    for _, ended in ipairs { t, late } do
      equal(raises_error({ kind = "TaskCancelled" }, ended.await, ended).reason == reason, true)
    end
    return seen
  end,
  ["a block"] = function(reason, fn)
    local seen
    task.move_on_after(nil, function()
      task.timeout(nil, function()
        task.shield(function()
          task.scope():cancel(reason)
          seen = select(2, pcall(fn))
        end)
      end)
    end)
    return seen
  end,
  ["a block around blocks"] = function(reason, fn)
    local seen
    task.move_on_after(nil, function()
      local outer = task.scope()
      task.timeout(nil, function()
        local g <close> = task.group()
        g:spawn(function() seen = select(2, pcall(fn)) end)
        turns(2)
        outer:cancel(reason)
      end)
    end)
    return seen
  end,
  ["a task that is moved by start"] = function(reason, fn)
    local seen
    do
      local g <close> = task.group()
      local hold = gate()
      g:spawn(task.shield, hold.wait)
      local starter = task.background(g.start, g, function(started)
        hold.wait()
        started()
        seen = select(2, pcall(fn))
      end)
      turns(3)
      g:cancel(reason)
      hold.open()
      starter:await()
    end
    return seen
  end,
}

for name, way in pairs(ways) do
  describe("reasons of " .. name, function()
    for reason, what in pairs(strings) do
      it("T-N: a cancellation keeps its reason: " .. what, function()
        local err = way(reason, never)
        equal({ err.kind, err.source }, { "Cancelled", "cancel" })
        equal(err.reason == reason, true, ("%d bytes of %d"):format(#tostring(err.reason), #reason))
        equal(err.message:find("^cancelled: ") ~= nil, true)
        equal(err.message:find("[\0\n\27]"), nil)
      end)
    end
  end)
end

describe("cancellations", function()
  it("T-N: a cancellation without a reason has none, and later ones change nothing", function()
    local t = task.spawn(never)
    turns(1)
    t:cancel()
    t:cancel "late"
    equal(raises_error({ kind = "TaskCancelled" }, t.await, t).reason, nil)
  end)

  it("T-N: a cancellation takes only strings", function()
    local t = task.spawn(never)
    for _, bad in ipairs { 1, true, {} } do
      misuse("string expected", function() t:cancel(bad) end)
      task.group(function(g) misuse("string expected", function() g:cancel(bad) end) end)
    end
    equal(t:cancel(), true)
    task.wait { t }
  end)

  it("T-N: a cancellation keeps the outermost reason", function()
    local t = task.spawn(function()
      task.timeout(nil, function()
        task.scope():cancel "inner"
        local _, err = pcall(never)
        task.current():cancel "outer"
        error(err, 0)
      end)
    end)
    local err = raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(err.reason, "outer")
  end)

  it("T-N: cancelling many tasks does not grow the memory", function()
    local function round()
      for i = 1, 100 do
        local t = task.spawn(never)
        task.sleep(0)
        t:cancel(("reason %d"):format(i):rep(1000))
        pcall(t.await, t)
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    round()
    local before = round()
    equal(round() < before + 200, true)
  end)
end)

describe("names", function()
  for name, what in pairs(strings) do
    it("T-N: a name is kept: " .. what, function()
      local t = task.spawn(never)
      t.name = name
      equal(t.name == name, true)
      local found
      local function look(tree)
        for _, row in ipairs(tree) do
          if row.id == t.id then found = row.name end
          look(row.children)
        end
      end
      look(task.tree())
      equal(found == name, true, ("tree: %d bytes of %d"):format(#tostring(found), #name))
      turns(1)
      t:cancel()
      local err = raises_error({ kind = "TaskCancelled" }, t.await, t)
      local escaped = ("task '%s' was cancelled"):format(name:find "[%c\128-\255]" and "" or name)
      equal(#err.message >= #escaped, true,
        ("message: %d bytes of %d"):format(#err.message, #escaped))
      equal(t.name == name, true)
    end)
  end
end)
