-- SPDX-License-Identifier: MIT
-- Which tasks may end a block, and what becomes of blocks that no task ends.
-- check: allow close-missing
local task = require "septet.task"
local helpers = require "helpers"

local never = helpers.never

local PLACE = "^[^:]*blocks_spec.lua:%d+: "
local FOREIGN = "scopes close last in, first out, in the task that opened them$"
-- Lua closes it where the error is caught: the place is that line
local BY_ERROR = "a closing variable, by an error"

-- How a script may come to end a block whose handle it has.
local ways = {
  ["a closing variable"] = function(g)
    local _ <close> = g
  end,
  [BY_ERROR] = function(g)
    local _ <close> = g
    error "lost"
  end,
  ["a closing variable of a function that returns"] = function(g)
    local function f()
      local _ <close> = g
      return 1
    end
    f()
  end,
  ["the closing value of a loop"] = function(g)
    for _ in function() end, nil, nil, g do end -- luacheck: ignore
  end,
  ["a wrapped coroutine"] = function(g)
    coroutine.wrap(function()
      local _ <close> = g
    end)()
  end,
  ["a block of its own"] = function(g)
    task.timeout(1, function()
      local _ <close> = g
    end)
  end,
}

-- Each form of block: opens one, calls fn(handle) in it and returns what that returned.
local forms = {
  ["group(fn)"] = function(fn) return task.group(fn) end,
  ["a group that is a variable"] = function(fn)
    local g <close> = task.group()
    return fn(g)
  end,
  ["timeout"] = function(fn)
    return task.timeout(100, function() return fn(task.scope()) end)
  end,
  ["move_on_after"] = function(fn)
    return select(2, task.move_on_after(100, function() return fn(task.scope()) end))
  end,
  ["shield"] = function(fn)
    return task.shield(function() return fn(task.scope()) end)
  end,
}

local function refused(way, handle)
  local err = raises((way == ways[BY_ERROR] and "" or PLACE) .. FOREIGN, way, handle)
  equal(err.kind, "Usage")
end

describe("handles of other tasks", function()
  for form, open in pairs(forms) do
    for name, way in pairs(ways) do
      local title = "T-B: no other task closes a block while its owner waits: %s, by %s"
      it(title:format(form, name), function()
        local sibling
        local got = open(function(handle)
          sibling = handle:spawn(task.sleep, 0)
          local t = task.background(refused, way, handle)
          t:await()
          equal({ handle.is_open, handle:is_cancelled(), sibling:status() },
            { true, false, "done" })
          return "value"
        end)
        equal({ got, sibling:status() }, { "value", "done" })
      end)
    end

    it(("T-B: no child closes the handle of its block: %s"):format(form), function()
      local got = open(function(handle)
        for _, way in pairs(ways) do handle:spawn(refused, way, handle):await() end
        return "value"
      end)
      equal(got, "value")
    end)

    it(("T-B: no child of a child closes the handle of a block: %s"):format(form), function()
      local got = open(function(handle)
        handle:spawn(function()
          task.spawn(refused, ways["a closing variable"], handle):await()
        end):await()
        return "value"
      end)
      equal(got, "value")
    end)

    it(("T-B: no other task closes a block that has ended: %s"):format(form), function()
      local handle
      open(function(h) handle = h end)
      for _, way in pairs(ways) do task.spawn(refused, way, handle):await() end
    end)

    it(("T-B: no other task closes a block whose owner has ended: %s"):format(form), function()
      local handle
      task.spawn(open, function(h) handle = h end):await()
      collectgarbage()
      for _, way in pairs(ways) do task.spawn(refused, way, handle):await() end
    end)

    it(("T-B: no other task closes a block whose owner cleans up: %s"):format(form), function()
      local done = gate()
      local handle
      local owner = task.spawn(open, function(h)
        handle = h
        pcall(task.timeout, form == "shield" and 0 or nil, never)
        task.shield(done.wait)
      end)
      turns(2)
      owner:cancel()
      turns(2)
      for _, way in pairs(ways) do task.spawn(refused, way, handle):await() end
      equal(owner:status(), "suspended")
      done.open()
      task.wait { owner }
    end)
  end

  it("T-B: another task cannot close a group while its owner joins the tasks", function()
    for name, open in pairs { ["group(fn)"] = forms["group(fn)"],
      variable = forms["a group that is a variable"] } do
      for _, way in pairs(ways) do
        local done, handle, child = gate(), nil, nil
        local owner = task.spawn(open, function(h)
          handle = h
          child = h:spawn(function()
            refused(way, handle)
            done.wait()
            refused(way, handle)
            return "child"
          end)
          return name
        end)
        turns(3)
        refused(way, handle)
        equal(owner:status(), "suspended")
        done.open()
        equal({ owner:await(), child:await() }, { name, "child" })
      end
    end
  end)

  it("T-B: the ErrorGroup has the error of a child that closes the group's handle", function()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(function(group)
        local _ <close> = group
        group:spawn(never)
      end, g)
    end)
    equal(#err, 1)
    equal(err.errors[1].kind, "Usage")
  end)

  it("T-B: a coroutine that another task resumes cannot close its owner's handle", function()
    local handle
    local co = coroutine.create(function()
      coroutine.yield()
      local _ <close> = handle
    end)
    coroutine.resume(co)
    task.group(function(g)
      handle = g
      task.background(function()
        local ok, err = coroutine.resume(co)
        equal({ ok, tostring(err) == err, err.kind }, { false, false, "Usage" })
      end):await()
    end)
  end)
end)

describe("blocks around coroutines", function()
  it("T-B: a coroutine cannot end a block that was opened outside of it", function()
    for _, open in pairs(forms) do
      open(function(handle)
        refused(ways["a wrapped coroutine"], handle)
        equal(task.scope(), handle)
        equal(handle.is_open, true)
      end)
    end
  end)

  it("T-B: a coroutine cannot end an outer block while another is open inside it", function()
    local a = task.group()
    local b = task.group()
    raises(PLACE .. FOREIGN, ways["a closing variable"], a)
    ways["a closing variable"](b)
    ways["a closing variable"](a)
    equal(task.scope(), nil)
  end)

  it("T-B: a coroutine cannot end an outer block twice", function()
    local g = task.group()
    ways["a closing variable"](g)
    raises(PLACE .. "the group is closed$", ways["a closing variable"], g)
  end)
end)
