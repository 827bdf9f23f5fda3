-- SPDX-License-Identifier: MIT
-- Names of the tasks of task.map: each is made from its item.
local task, trace = require "septet.task", require "septet.trace"
local origin = require "origin"

local function nothing() end
local here = line() - 1

-- Returns the name of a task that maps over one item.
local function name_of(item)
  local t = task.map(nothing, { item })[1]
  local name = t.name
  t:await()
  equal(t.name, name, "it stays when the task has ended")
  return name
end

local function place()
  return ("%s:%d"):format(debug.getinfo(1, "S").short_src, here)
end

describe("task.map", function()
  it("a string is the name of its task", function()
    for _, item in ipairs { "a", "https://example.com/1", "joe@example.com", "12:30", "é" } do
      equal(name_of(item), item)
    end
  end)

  it("a number is part of the name, behind the place of the function", function()
    for item, shown in pairs { [3] = "3", [-7] = "-7", [0.5] = "0.5", [1e300] = "1e+300" } do
      equal(name_of(item), ("%s(%s)"):format(place(), shown))
    end
  end)

  it("other items leave the name as it is", function()
    for _, item in ipairs { true, {}, nothing, "" } do
      local t = task.map(nothing, { item })[1]
      equal(t.name, ("%s#%d"):format(place(), t.id))
      t:await()
    end
  end)

  it("a name has no password of a URL, also a malformed one", function()
    equal(name_of "https://joe:secret@example.com/x?y=1", "https://example.com/x?y=1")
    for _, item in ipairs { "joe:secret@example.com", "https:joe:secret@example.com/",
      "//joe:secret@example.com", "HTTPS://joe:secret%40example.com",
      "https://joe:secret@example.com/" .. ("x"):rep(600),
      "https://" .. ("j"):rep(600) .. ":secret@example.com/" } do
      equal(name_of(item):find "secret", nil, item)
    end
  end)

  it("a name is safe for a terminal, and short", function()
    equal(name_of "a\27[31m\nb\0c\xff", "a\\x1b[31m\\nb\\x00c\\xff")
    local long = "https://example.com/" .. ("x"):rep(50) .. "/last"
    equal(name_of(long), long:sub(1, 31) .. "…" .. long:sub(-31))
    for _, item in ipairs { ("é"):rep(40), "a" .. ("é"):rep(300), ("\n"):rep(1 << 20),
      ("😀"):rep(400) } do
      local name = name_of(item)
      equal({ #name <= 65, utf8.len(name) ~= nil }, { true, true }, name)
      equal(name:find "…" ~= nil, true)
    end
  end)

  it("a name that a script sets replaces it", function()
    local t = task.map(nothing, { "item" })[1]
    t.name = "set"
    equal(t.name, "set")
    t:await()
    equal(tostring(t), "task 'set' (done)")
  end)

  it("the item is what the function gets", function()
    local item = ("x"):rep(1000)
    local got = task.gather(task.map(function(...) return table.pack(...) end, { item, 7, 0.5 }))
    equal({ got[1], got[2], got[3] }, { { item, n = 1 }, { 7, n = 1 }, { 0.5, n = 1 } })
  end)

  it("tostring, the tree and errors have the name", function()
    local t = task.map(function() task.sleep(math.huge) end, { "the item" })[1]
    turns(1)
    equal(tostring(t), "task 'the item' (suspended)")
    local found
    local function search(list)
      for _, row in ipairs(list) do
        found = found or row.id == t.id and row.name
        search(row.children)
      end
    end
    search(task.tree())
    equal(found, "the item")
    t:cancel()
    local err = raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(err.message, "task 'the item' was cancelled")
  end)

  it("the trace has the name while somebody reads its texts", function()
    local names = {}
    local unsubscribe = trace.subscribe(function(event)
      if event.kind == "name" then names[#names + 1] = event.name end
    end)
    task.gather(task.map(nothing, { "https://joe:secret@example.com/", 5, true }))
    origin.eventually(function() return #names == 2 end)
    equal(names, { "https://example.com/", place() .. "(5)" })
    unsubscribe()
  end)
end)
