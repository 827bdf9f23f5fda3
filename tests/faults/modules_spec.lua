-- SPDX-License-Identifier: MIT
-- Modules that wait while they load: circles over tasks, and a top level that runs once at a time.
local task = require "septet.task"

local ran -- how often each module's top level began

-- Makes modules: { name = { requires... } }, each of which waits before and after.
local function modules(graph)
  ran = {}
  for name, needs in pairs(graph) do
    package.loaded[name] = nil
    package.preload[name] = function()
      ran[name] = (ran[name] or 0) + 1
      task.sleep(0.005)
      local module = { name = name }
      for _, need in ipairs(needs) do module[need] = task.require(need) end
      task.sleep(0)
      return module
    end
  end
end

local function forget(graph)
  for name in pairs(graph) do package.loaded[name], package.preload[name] = nil, nil end
end

local CIRCLES = {
  { "m1" },
  { "m1", "m2" },
  { "m1", "m2", "m3" },
  { "m1", "m2", "m3", "m4", "m5" },
}

local function graph_of(names)
  local graph = {}
  for i, name in ipairs(names) do graph[name] = { names[i % #names + 1] } end
  return graph
end

local function names_chain(err, names)
  local text = tostring(err)
  for _, name in ipairs(names) do
    if text:find(("module '%s' requires itself (%s -> "):format(name, name), 1, true) then
      return text:find(" -> " .. name .. ")", 1, true) ~= nil
    end
  end
  return false
end

describe("modules in a circle", function()
  it("T-J: a circle in one task is an error that names the chain", function()
    for _, names in ipairs(CIRCLES) do
      local graph = graph_of(names)
      modules(graph)
      local _, err = pcall(task.require, "m1")
      equal(tostring(err),
        ("module 'm1' requires itself (%s -> m1)"):format(table.concat(names, " -> ")))
      forget(graph)
    end
  end)

  it("T-J: a circle over a task for each module is an error that names the chain", function()
    for _, names in ipairs(CIRCLES) do
      local graph = graph_of(names)
      modules(graph)
      local tasks = {}
      for i, name in ipairs(names) do tasks[i] = task.spawn(task.require, name) end
      for _, t in ipairs(tasks) do
        local ok, err = pcall(task.timeout, 5, t.await, t)
        equal(ok, false)
        equal(names_chain(err, names), true)
      end
      forget(graph)
    end
  end)

  it("T-J: a circle over fewer tasks, each in several modules, is an error", function()
    local names = { "m1", "m2", "m3", "m4" }
    local graph = graph_of(names)
    modules(graph)
    local a, b = task.spawn(task.require, "m1"), task.spawn(task.require, "m3")
    for _, t in ipairs { a, b } do
      local ok, err = pcall(task.timeout, 5, t.await, t)
      equal(ok, false)
      equal(names_chain(err, names), true)
    end
    forget(graph)
  end)

  it("T-J: each module of a circle can be loaded again", function()
    local names = { "m1", "m2" }
    modules(graph_of(names))
    local a, b = task.spawn(task.require, "m1"), task.spawn(task.require, "m2")
    pcall(a.await, a)
    pcall(b.await, b)
    modules { m1 = {}, m2 = { "m1" } }
    equal(task.require("m2").m1.name, "m1")
    equal(ran.m1, 1)
    forget { m1 = {}, m2 = {} }
  end)

  it("T-J: a task that waits for modules in no circle goes on", function()
    local graph = { m1 = { "m3" }, m2 = { "m3" }, m3 = { "m4" }, m4 = {} }
    modules(graph)
    local a, b = task.spawn(task.require, "m1"), task.spawn(task.require, "m2")
    equal(a:await().m3, b:await().m3)
    equal(ran.m3, 1)
    forget(graph)
  end)

  it("T-J: a task that is cancelled while it waits for a module leaves no trace", function()
    modules { m1 = {} }
    local a, b = task.spawn(task.require, "m1"), task.spawn(task.require, "m1")
    task.sleep(0)
    b:cancel()
    equal(pcall(b.await, b), false)
    equal(a:await().name, "m1")
    equal(ran.m1, 1)
    forget { m1 = {} }
  end)
end)

-- How the top level of a module may wait for a task that calls fn.
local WAITS = {
  await = function(fn) return task.spawn(fn):await() end,
  ["await, later"] = function(fn)
    local t = task.spawn(fn)
    task.sleep(0.02) -- fn waits by then, and this closes the circle
    return t:await()
  end,
  gather = function(fn) return task.gather { fn } end,
  ["gather, among others"] = function(fn)
    return task.gather { function() task.sleep(0) end, fn }
  end,
  group = function(fn) return task.group(function(g) g:spawn(fn) end) end,
  ["group in a variable"] = function(fn)
    local g <close> = task.group()
    g:spawn(fn)
  end,
  ["group:start"] = function(fn)
    return task.group(function(g) g:start(function(started) started(fn()) end) end)
  end,
  ["task of a task"] = function(fn)
    return task.spawn(function() return task.spawn(fn):await() end):await()
  end,
  race = function(fn) return task.race { fn } end,
  wait = function(fn)
    local t = task.spawn(fn)
    task.wait { t }
    return t:await()
  end,
  as_completed = function(fn)
    for t in task.as_completed { fn } do t:await() end
  end,
  lock = function(fn)
    local lock = require "septet.sync".lock()
    local t = task.spawn(function() lock:with(fn) end)
    task.sleep(0)
    lock:with(task.now)
    return t:await()
  end,
  shield = function(fn)
    local t = task.spawn(fn)
    return task.shield(t.await, t)
  end,
  coroutine = function(fn)
    return coroutine.wrap(function() return task.spawn(fn):await() end)()
  end,
}

-- Returns the message of an error, and those of the errors in it.
local function words(err)
  if not task.is(err, "ErrorGroup") then return tostring(err) end
  return words(err:leaves()[1])
end

describe("modules that wait for tasks which require them", function()
  local function is_circle(graph, first, chain)
    local ok, err = pcall(task.timeout, 5, task.require, first)
    local expected = ("module '%s' requires itself (%s)"):format(chain:match "^%w+", chain)
    -- coroutine.wrap puts a place before the message.
    equal({ ok, words(err):sub(-#expected) }, { false, expected })
    for name in pairs(graph) do equal(package.loaded[name], nil) end
  end

  for how, wait in pairs(WAITS) do
    it("T-J: a circle of one module is an error that names it: " .. how, function()
      package.preload.m1 = function() return wait(function() return task.require "m1" end) end
      is_circle({ m1 = true }, "m1", "m1 -> m1")
      package.preload.m1 = function() return "again" end
      equal(task.require "m1", "again")
      forget { m1 = true }
    end)

    it("T-J: a circle over other modules and their tasks is an error: " .. how, function()
      package.preload.m1 = function() return wait(function() return { task.require "m2" } end) end
      package.preload.m2 = function() return { task.require "m3" } end
      package.preload.m3 = function() return wait(function() return { task.require "m1" } end) end
      is_circle({ m1 = true, m2 = true, m3 = true }, "m1", "m1 -> m2 -> m3 -> m1")
      forget { m1 = true, m2 = true, m3 = true }
    end)
  end

  it("T-J: the module whose task has closed the circle fails", function()
    local log = {}
    package.preload.m1 = function()
      local t = task.spawn(task.require, "m2")
      log.m2 = select(2, pcall(t.await, t))
      return "m1"
    end
    package.preload.m2 = function()
      log.m1 = select(2, pcall(task.require, "m1"))
      return "m2"
    end
    equal(task.require "m1", "m1")
    equal(log, { m1 = "module 'm1' requires itself (m1 -> m2 -> m1)", m2 = "m2" })
    forget { m1 = true, m2 = true }
  end)

  it("T-J: a task that the module does not wait for gets it once it is loaded", function()
    local t
    package.preload.m1 = function()
      t = task.background(task.require, "m1")
      task.sleep(0.005)
      return "m1"
    end
    equal(task.require "m1", "m1")
    equal(t:await(), "m1")
    forget { m1 = true }
  end)

  it("T-J: other tasks that wait for the load are not in the circle", function()
    local others = {}
    package.preload.m1 = function()
      task.sleep(0)
      local t = task.spawn(task.require, "m1")
      pcall(t.await, t)
      return "m1"
    end
    others[1] = task.spawn(task.require, "m1")
    others[2], others[3] = task.spawn(task.require, "m1"), task.spawn(task.require, "m1")
    for _, t in ipairs(others) do equal(t:await(), "m1") end
    forget { m1 = true }
  end)

  it("T-J: a wait for a load names the loading task, and can be cancelled", function()
    package.preload.m1 = function()
      task.sleep(0.01)
      return "m1"
    end
    local a, b = task.spawn(task.require, "m1"), task.spawn(task.require, "m1")
    a.name = "loader"
    task.sleep(0)
    equal(b:waits_for(), "load by 'loader'")
    b:cancel()
    raises_error({ kind = "TaskCancelled" }, b.await, b)
    equal(a:await(), "m1")
    forget { m1 = true }
  end)
end)

describe("the standard require", function()
  it("T-J: require raises for a module that is loading, and names task.require", function()
    modules { m1 = {} }
    local a = task.spawn(task.require, "m1")
    task.sleep(0)
    local ok, err = pcall(require, "m1")
    equal(ok, false)
    equal(task.is(err, "Usage"), true)
    equal(tostring(err):find("task.require", 1, true) ~= nil, true)
    equal(a:await().name, "m1")
    equal(require "m1", a:await())
    equal(ran.m1, 1)
    forget { m1 = {} }
  end)

  it("T-J: require raises for a module that requires itself", function()
    package.preload.m1 = function() return require "m1" end
    raises("module 'm1' requires itself", task.require, "m1")
    package.preload.m1 = nil
  end)

  it("T-J: require loads a module again after a failure", function()
    package.preload.m1 = function()
      task.sleep(0)
      error("at first", 0)
    end
    raises("at first", task.require, "m1")
    local other = package.preload.m1
    package.preload.m1 = function() return "later" end
    equal(require "m1", "later")
    equal(type(other), "function")
    package.loaded.m1, package.preload.m1 = nil, nil
  end)

  it("T-J: require returns what a module has put into package.loaded itself", function()
    package.preload.m1 = function()
      package.loaded.m1 = "early"
      task.sleep(0)
    end
    local a = task.spawn(task.require, "m1")
    task.sleep(0)
    equal(require "m1", "early")
    equal(a:await(), "early")
    package.loaded.m1, package.preload.m1 = nil, nil
  end)
end)
