-- Modules that wait while they load: circles over tasks, and a top level that never runs twice at once.
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

local function told(err, names)
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
      equal(tostring(err), ("module 'm1' requires itself (%s -> m1)"):format(table.concat(names, " -> ")))
      forget(graph)
    end
  end)

  it("T-J: a circle over as many tasks as it has modules is an error that names the chain", function()
    for _, names in ipairs(CIRCLES) do
      local graph = graph_of(names)
      modules(graph)
      local tasks = {}
      for i, name in ipairs(names) do tasks[i] = task.spawn(task.require, name) end
      for _, t in ipairs(tasks) do
        local ok, err = pcall(task.timeout, 5, t.await, t)
        equal(ok, false)
        equal(told(err, names), true)
      end
      forget(graph)
    end
  end)

  it("T-J: so is one over fewer tasks, each within several modules", function()
    local names = { "m1", "m2", "m3", "m4" }
    local graph = graph_of(names)
    modules(graph)
    local a, b = task.spawn(task.require, "m1"), task.spawn(task.require, "m3")
    for _, t in ipairs { a, b } do
      local ok, err = pcall(task.timeout, 5, t.await, t)
      equal(ok, false)
      equal(told(err, names), true)
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

  it("T-J: what waits for modules in no circle goes on", function()
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

describe("the standard require", function()
  it("T-J: raises for a module that is loading, and names task.require", function()
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

  it("T-J: raises for a module that requires itself with it", function()
    package.preload.m1 = function() return require "m1" end
    raises("module 'm1' requires itself", task.require, "m1")
    package.preload.m1 = nil
  end)

  it("T-J: loads as ever once a load has failed", function()
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

  it("T-J: finds what a module has put into package.loaded itself", function()
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
