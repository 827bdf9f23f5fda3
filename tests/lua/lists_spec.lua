-- SPDX-License-Identifier: MIT
-- Functions that take a list refuse values that are no lists.
local task, http = require "septet.task", require "septet.http"

local function f() return 1 end
local callable = setmetatable({}, { __call = function() return 1 end })

-- Each function that takes a list, with what an item of it may be.
local TAKES = {
  gather = { task.gather, f },
  race = { task.race, f },
  as_completed = { task.as_completed, f },
  wait = { task.wait, function() return task.current() end },
  map = { function(list) return task.map(f, list) end, 1 },
}

-- Keys that no list has, as a message has them.
local KEYS = { { "user", "'user'" }, { 1.5, "[1.5]" }, { 0, "[0]" }, { -1, "[-1]" },
  { 1000, "[1000]" },
  { math.maxinteger, tostring(math.maxinteger) }, { math.mininteger, tostring(math.mininteger) },
  { true, "[true]" },
  { f, "a function" }, { {}, "a table" }, { "n ", "'n '" }, { "N", "'N'" } }

local function count(tree)
  local n = 0
  for _, t in ipairs(tree) do n = n + 1 + count(t.children) end
  return n
end

describe("values that are no lists", function()
  for name, takes in pairs(TAKES) do
    it("T-I: before any spawn, what is no list is refused by " .. name, function()
      local item = name == "wait" and task.spawn(f) or takes[2]
      for _, key in ipairs(KEYS) do
        for n = 0, 2 do
          local list = {}
          for i = 1, n do list[i] = item end
          list[key[1]] = item
          local before = count(task.tree())
          local err = raises_error({ kind = "Usage" }, takes[1], list)
          equal(err.message:find(key[2], 1, true) ~= nil, true, err.message)
          equal(count(task.tree()), before)
        end
      end
      if name == "wait" then item:await() end
    end)

    it("T-I: an `n` that is not that of table.pack is refused by " .. name, function()
      local item = name == "wait" and task.spawn(f) or takes[2]
      for _, n in ipairs { "2", 1.5, -1, 0, true } do
        local err = raises_error({ kind = "Usage" }, takes[1], { item, n = n })
        equal(err.message:find("'n'", 1, true) ~= nil, true, err.message)
      end
      local err = raises_error({ kind = "Usage" }, takes[1], table.pack(item, nil))
      equal(err.message:find "item 2: nil" ~= nil, true, err.message)
      if name == "wait" then item:await() end
    end)
  end

  it("T-I: gather, wait and as_completed name an option in the list as such", function()
    misuse("'limit' in the list is an option: gather%(list, { limit = ... }%) expected", function()
      task.gather({ f, limit = 1 })
    end)
    misuse("'settled' in the list is an option", function() task.gather({ f, settled = true }) end)
    misuse("'timeout' in the list is an option", function() task.wait({ timeout = 1 }) end)
    misuse("'return_when' in the list is an option", function()
      task.wait({ return_when = "x" })
    end)
    misuse("'timeout' in the list is an option", function()
      task.as_completed({ f, timeout = 1 })
    end)
    misuse("the key 'limit'", function() task.race({ f, limit = 1 }) end)
  end)

  it("T-I: options and bodies of requests refuse what is no list", function()
    for _, list in ipairs { { "GET", x = 1 }, { x = "GET" }, { [2] = "GET" },
      { "GET", n = "1" } } do
      raises_error({ kind = "Usage" }, http.session, { retries = { methods = list } })
      raises_error({ kind = "Usage" }, http.session, { retries = { statuses = list } })
      raises_error({ kind = "Usage" }, http.session, { redirect_headers = list })
    end
    local part = { name = "a", data = "b" }
    for _, list in ipairs { part, { part, x = part }, { [2] = part }, { x = part } } do
      raises_error({ kind = "Usage" }, http.post, "http://127.0.0.1:1/", { multipart = list })
    end
  end)
end)

describe("lists", function()
  it("T-I: lists may come from table.pack, be empty, and have an item twice", function()
    equal(task.gather(table.pack(f, f)), { 1, 1, n = 2 })
    equal(task.gather(table.pack()), { n = 0 })
    equal(task.gather {}, { n = 0 })
    equal(#task.map(f, table.pack(1, 2)), 2)
    equal(task.race(table.pack(f)), 1)
    equal({ task.wait(table.pack()) }, { {}, {} })
  end)

  it("T-I: lists may have any values that can be called", function()
    equal(task.gather { callable, f }, { 1, 1, n = 2 })
    equal(task.gather({ callable, callable, f }, { limit = 1 }), { 1, 1, 1, n = 3 })
    equal(task.gather({ callable }, { settled = true })[1].value, 1)
    equal(task.race { callable }, 1)
    local n = 0
    for t in task.as_completed { callable, f } do n = n + t:await() end
    equal(n, 2)
    raises("item 1: task or function expected, got table", task.gather, { setmetatable({}, {}) })
  end)
end)
