-- SPDX-License-Identifier: MIT
-- The failure of a task is one error of its group, also if other tasks have seen it and raised it
-- again.
local task = require "septet.task"

local errors = {
  string = function() return "a string" end,
  number = function() return 42 end,
  float = function() return 0.5 end,
  ["not a number"] = function() return 0 / 0 end,
  ["false"] = function() return false end,
  ["nil"] = function() return nil end,
  table = function() return { mine = true } end,
  ["locked table"] = function() return setmetatable({}, { __metatable = false }) end,
  ["function"] = function() return function() end end,
  ours = function() return select(2, pcall(task.sleep, -1)) end,
  group = function() return select(2, pcall(task.group, function() error "inner" end)) end,
}

local function is_same(a, b)
  return rawequal(a, b) or (a ~= a and b ~= b)
end

local function await_all(...)
  for _, t in ipairs { ... } do t:await() end
end

-- Each way in which a body or a task sees the failure of `t` and raises its error again.
local ways = {
  await = function(t) t:await() end,
  ["await in a block"] = function(t) task.timeout(1, task.shield, t.await, t) end,
  ["pcall"] = function(t)
    local _, err = pcall(t.await, t)
    error(err, 0)
  end,
  ["task.try"] = function(t)
    local _, err = task.try(t.await, t)
    error(err, 0)
  end,
  ["wait and result"] = function(t)
    task.shield(task.wait, { t })
    local _, err = t:result()
    error(err, 0)
  end,
  gather = function(t) task.gather { t } end,
  ["gather with a limit"] = function(t) task.gather({ t, function() end }, { limit = 1 }) end,
  ["gather settled"] = function(t)
    local results = task.shield(task.gather, { t }, { settled = true })
    error(results[1].error, 0)
  end,
  as_completed = function(t) for done in task.as_completed { t } do done:await() end end,
  ["a task between"] = function(t) task.shield(await_all, task.spawn(t.await, t)) end,
  generator = function(t) for _ in task.generator(function(emit) emit(t:await()) end) do end end,
}

local forms = {
  ["function"] = function(fn) task.group(fn) end,
  block = function(fn)
    local g <close> = task.group()
    fn(g)
  end,
  nested = function(fn) task.timeout(1, task.group, fn) end,
}

local function failing(make)
  return function()
    task.sleep(0)
    error(make(), 0)
  end
end

for form, group in pairs(forms) do
  for way, raise_again in pairs(ways) do
    it(("T-C: a failure that a group's body (%s) sees by %s is one"):format(form, way), function()
      for kind, make in pairs(errors) do
        local t
        local err = raises_error({ kind = "ErrorGroup" }, group, function(g)
          t = g:spawn(failing(make))
          raise_again(t)
        end)
        local what = ("%s, %s"):format(way, kind)
        equal({ #err, err.tasks[1] == t }, { 1, true }, what)
        equal(is_same(err.errors[1], select(2, t:result())), true, what)
        equal(#err:leaves(), 1, what)
      end
    end)

    it(("X-5: a failure that tasks of a group (%s) see by %s is one"):format(form, way), function()
      for kind, make in pairs(errors) do
        local t
        local err = raises_error({ kind = "ErrorGroup" }, group, function(g)
          t = g:spawn(failing(make))
          for _ = 1, 5 do g:spawn(task.shield, raise_again, t) end
          pcall(task.sleep, 1)
        end)
        local what = ("%s, %s"):format(way, kind)
        equal({ #err, err.tasks[1] == t, #err:leaves() }, { 1, true, 1 }, what)
      end
    end)
  end
end

it("T-C: nested groups with one failure have one leaf, and grow as their depth", function()
  local function chain(n)
    if n == 0 then error "bottom" end
    return task.group(function(g) return g:spawn(chain, n - 1):await() end)
  end
  local size = {}
  for _, n in ipairs { 1, 4, 8, 16, 50, 100 } do
    local err = raises_error({ kind = "ErrorGroup" }, chain, n)
    equal(rawget(err, "message"), nil) -- the message is made when it is first read
    equal(#err:leaves(), 1, n)
    size[n] = #tostring(err)
    equal(tostring(err), err.message)
  end
  equal(size[100] < 3 * size[50], true, ("%d and %d bytes"):format(size[50], size[100]))
end)

it("T-C: two that fail by themselves are two errors, whatever they raise", function()
  local same = { "same" }
  for kind, make in pairs {
    string = function() return "same" end,
    table = function() return same end,
  } do
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(failing(make))
      g:spawn(failing(make))
      pcall(task.sleep, 1)
    end)
    equal(#err, 2, kind)

    err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(function() error(make(), 0) end)
      error(make(), 0)
    end)
    equal(#err, 2, kind .. ", the body before")

    -- The body that awaited the other's failure.
    err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      local first = g:spawn(failing(make))
      g:spawn(function()
        pcall(task.shield, first.await, first)
        error("another", 0)
      end)
      pcall(task.sleep, 1)
    end)
    equal({ #err, err.errors[2] }, { 2, "another" }, kind)
  end
  local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    g:spawn(failing(errors.string))
    pcall(task.sleep, 1)
    error("a string", 0) -- the body's own, from no task
  end)
  equal(#err, 2)
end)

it("T-C: what a body makes of a failure is an error of its own", function()
  local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    local t = g:spawn(failing(errors.string))
    local _, words = pcall(task.shield, t.await, t)
    error("because of " .. words, 0)
  end)
  equal(err.errors, { "a string", "because of a string" })
end)

it("T-C: a failure is one error though a group before it failed with the same words", function()
  for way, raise_again in pairs(ways) do
    for _ = 1, 4 do
      local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
        raise_again(g:spawn(failing(errors.string)))
      end)
      equal(#err, 1, way)
    end
  end
end)

it("X-5: a task that was cancelled is one error, however many awaited it", function()
  local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    local t = g:spawn(task.sleep, 9)
    for _ = 1, 5 do g:spawn(task.shield, t.await, t) end
    task.sleep(0)
    t:cancel()
    pcall(task.sleep, 1)
  end)
  equal({ #err, err.errors[1].kind }, { 1, "TaskCancelled" })
end)

it("X-5: a failure that a group in a group hears of is one error, and one leaf", function()
  local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    local t = g:spawn(failing(errors.string))
    task.group(function() task.shield(t.await, t) end)
  end)
  equal(err.errors, { "a string" })

  err = raises_error({ kind = "ErrorGroup" }, task.group, function(g) -- beside one of its own
    local t = g:spawn(failing(errors.string))
    g:spawn(task.group, function(h)
      h:spawn(task.shield, t.await, t)
      pcall(task.sleep, 1)
      error("its own", 0)
    end)
    pcall(task.sleep, 1)
  end)
  equal({ #err, err:leaves() }, { 2, { "a string", "its own" } })

  local t = task.spawn(failing(errors.string)) -- one from outside, by a body and by a task
  err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    g:spawn(task.shield, t.await, t)
    task.shield(t.await, t)
  end)
  equal({ #err, err:leaves() }, { 1, { "a string" } })
end)

it("X-5: a failure from outside a group is one error, if several of its tasks await it", function()
  local t = task.spawn(failing(errors.string))
  local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    for _ = 1, 5 do g:spawn(task.shield, t.await, t) end
  end)
  equal({ #err, err.errors[1] }, { 1, "a string" })
end)

it("X-5: the failures that a task saw are forgotten with it", function()
  local function round()
    local failed = task.spawn(function() error("cached", 0) end)
    for _ = 1, many(1000) do pcall(failed.await, failed) end
    for _ = 1, many(1000) do
      local t = task.spawn(function() error("once", 0) end)
      pcall(t.await, t)
    end
    collectgarbage()
    collectgarbage()
    return collectgarbage "count"
  end
  round()
  local before = round()
  local grown = round() - before
  equal(grown < 50, true, ("%.0f kB more"):format(grown))
end)
