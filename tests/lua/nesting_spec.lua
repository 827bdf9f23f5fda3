-- SPDX-License-Identifier: MIT
-- How deep coroutines nest: as deep as in stock Lua, whose stack of C calls has 200 levels.
local task = require "septet.task"
local helpers = require "helpers"

local closer = helpers.closer

-- Counts the calls that `wrap` makes inside one another before Lua's stack of C calls is full.
local function nested(wrap, inside)
  local n, most = 0, 0
  local function go()
    n = n + 1
    most = math.max(n, most)
    if inside then inside() end
    wrap(go)()
    n = n - 1
  end
  local ok, err = pcall(go)
  equal(ok, false)
  return most, tostring(err)
end

local function at_least(least, most, err)
  equal(most >= least, true, ("%d levels: %s"):format(most, err or ""))
end

local function wrapped_walk(depth)
  return coroutine.wrap(function()
    if depth > 0 then
      for x in wrapped_walk(depth - 1) do coroutine.yield(x) end
    end
    coroutine.yield(depth)
  end)
end

local function generated_walk(depth)
  return task.generator(function(emit)
    if depth > 0 then
      for x in generated_walk(depth - 1) do emit(x) end
    end
    emit(depth)
  end)
end

local function mixed_walk(depth)
  local function body(emit)
    if depth > 0 then
      for x in mixed_walk(depth - 1) do
        task.checkpoint()
        emit(x)
      end
    end
    emit(depth)
  end
  if depth % 2 == 0 then return task.generator(body) end
  return coroutine.wrap(function() body(coroutine.yield) end)
end

-- Where a nest may stand: each calls fn.
local places = {
  ["a task"] = function(fn) fn() end,
  ["a task of its own"] = function(fn) task.spawn(fn):await() end,
  ["a block"] = function(fn) task.timeout(60, fn) end,
  ["a group's task"] = function(fn) task.group(function(g) g:spawn(fn) end) end,
}

for place, inside in pairs(places) do
  describe("in " .. place, function()
    it("T-T: wrapped coroutines nest at least 180 deep", function()
      inside(function() at_least(180, nested(coroutine.wrap)) end)
    end)

    it("T-T: wrapped coroutines that wait nest at least 180 deep", function()
      inside(function() at_least(180, nested(coroutine.wrap, function() task.sleep(0) end)) end)
    end)

    it("T-T: resumes nest at least 180 deep", function()
      inside(function()
        at_least(180, nested(function(go)
          return function()
            local ok, err = coroutine.resume(coroutine.create(go))
            if not ok then error(err, 0) end
          end
        end))
      end)
    end)

    for name, walk in pairs { wrapped = wrapped_walk, generated = generated_walk,
      mixed = mixed_walk } do
      it("T-T: a walk over a tree 90 deep ends, " .. name, function()
        inside(function()
          local n = 0
          for x in walk(90) do
            equal(x, n)
            n = n + 1
          end
          equal(n, 91)
        end)
      end)
    end
  end)
end

describe("deep inside", function()
  it("T-T: a wait deep inside reaches the scheduler and comes back", function()
    local function nest(n)
      if n == 0 then
        task.sleep(0.001)
        return "bottom"
      end
      return coroutine.wrap(nest)(n - 1)
    end
    equal(nest(180), "bottom")
  end)

  it("T-T: closing variables deep inside wait, from the innermost outward", function()
    local order = {}
    local function nest(n)
      local _ <close> = closer(function(_, err)
        task.sleep(0)
        order[#order + 1] = n
        equal(err, "bottom")
      end)
      if n == 0 then error("bottom", 0) end
      return coroutine.resume(coroutine.create(function()
        return select(2, xpcall(coroutine.wrap(nest), function(err) return err end, n - 1))
      end)) and error("bottom", 0)
    end
    local ok, err = pcall(nest, 40)
    equal({ ok, err }, { false, "bottom" })
    equal(#order, 41)
    for i, n in ipairs(order) do equal(n, i - 1) end
  end)

  it("T-T: a cancellation unwinds all nested coroutines", function()
    local closed = 0
    local function nest(n)
      local _ <close> = closer(function()
        task.shield(task.sleep, 0)
        closed = closed + 1
      end)
      if n == 0 then task.sleep(math.huge) end
      return coroutine.wrap(nest)(n - 1)
    end
    local t = task.spawn(nest, 150)
    task.sleep(0)
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    equal(closed, 151)
  end)

  it("T-T: a generator too deep to go on raises, and goes on from a shallower place", function()
    local made = {}
    local n = 0
    local function deepen()
      n = n + 1
      local g = task.generator(function(emit)
        emit(n)
        deepen()
      end)
      made[n] = g
      equal(type(g()), "number")
      g()
    end
    local ok, err = pcall(deepen)
    equal(ok, false)
    equal(tostring(err):find "C stack overflow" ~= nil, true, tostring(err))
    for i = #made, 1, -1 do
      local value = made[i]()
      equal(value == nil or type(value) == "number", true)
      made[i]:close()
    end
  end)
end)

describe("errors of library functions", function()
  it("X-6: an error of a function of `coroutine` is a string, as Lua's own", function()
    for _, fn in ipairs {
      coroutine.yield,
      function() coroutine.resume(42) end,
      function() coroutine.close(42) end,
      function() coroutine.wrap(42) end,
      function() coroutine.isyieldable(42) end,
      function() coroutine.close(coroutine.running()) end,
      function() coroutine.close() end,
    } do
      local ok, err = pcall(fn)
      equal(ok, false)
      equal(type(err), "string")
    end
    equal(select(2, pcall(coroutine.yield)):find "outside" ~= nil, true)
  end)
end)

-- Returns how many values the running coroutine's stack has room for.
local function room()
  local low, high = 999000, 1000000
  while low < high do
    local middle = (low + high + 1) // 2
    if pcall(table.unpack, {}, 1, middle) then low = middle else high = middle - 1 end
  end
  return low
end

it("T-T: a wrapped coroutine has room for nearly all values of another one", function()
  local _, created = coroutine.resume(coroutine.create(room))
  local wrapped = coroutine.wrap(room)()
  equal(created > 999900, true, created)
  equal(wrapped < created and wrapped >= created - 4, true, created - wrapped)
  local own = task.spawn(room):await()
  equal(own <= created and own >= created - 16, true, created - own)
end)
